#include "conf/bus_server.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

#include "bus/redis_url.hpp"

namespace sse {

namespace {

constexpr size_t kMostPassword = 4096;

bool readSwitch(ngx_conf_t* cf, const char* key, const ngx_str_t& text, bool& isOn) noexcept {
    isOn = text.data == nullptr || toView(text) == "on";
    return isOn || toView(text) == "off" ||
           refuseBus(cf, "invalid value \"%s=%V\" in \"sse_bus\", it must be \"on\" or \"off\"", key, &text);
}

bool readAddress(ngx_conf_t* cf, const RedisAddress& read, BusAddress& address) noexcept {
    address.text = poolString(cf->pool, read.text);
    address.host = poolString(cf->pool, read.host);
    address.port = read.port;
    if (address.text.data == nullptr || address.host.data == nullptr) {
        return false;
    }
    auto* known = static_cast<ngx_addr_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_addr_t)));
    if (known == nullptr) {
        return false;
    }
    const ngx_int_t rc = ngx_parse_addr(cf->pool, known, address.host.data, address.host.len);
    if (rc == NGX_ERROR) {
        return false;
    }
    address.isName = rc == NGX_DECLINED;
    if (!address.isName) {
        ngx_inet_set_port(known->sockaddr, address.port);
        address.addresses = {known, 1};
    }
    return true;
}

bool readAddresses(ngx_conf_t* cf, const RedisUrl& url, BusConfig& bus) noexcept {
    auto* addresses = static_cast<BusAddress*>(ngx_pcalloc(cf->pool, url.count * sizeof(BusAddress)));
    if (addresses == nullptr) {
        return false;
    }
    for (size_t i = 0; i < url.count; ++i) {
        if (!readAddress(cf, url.list[i], addresses[i])) {
            return false;
        }
    }
    bus.addresses = {addresses, url.count};
    return true;
}

// The first line of the file, without its end; empty, and the reason is logged, if there is none.
ngx_str_t readPasswordFile(ngx_conf_t* cf, ngx_str_t file) noexcept {
    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return {};
    }
    char text[kMostPassword];
    const int fd = open(reinterpret_cast<char*>(file.data), O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd == -1 ? -1 : read(fd, text, sizeof(text));
    if (length == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot read the password file \"%V\" of \"sse_bus\"", &file);
    }
    if (fd != -1) {
        close(fd);
    }
    if (length == -1) {
        return {};
    }
    std::string_view line(text, static_cast<size_t>(length));
    line = {line.data(), std::min(line.find_first_of("\r\n"), line.size())};
    if (line.empty()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the password file \"%V\" of \"sse_bus\" is empty", &file);
        return {};
    }
    if (line.size() == sizeof(text)) { // without an end
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the password in \"%V\" of \"sse_bus\" is too long", &file);
        return {};
    }
    const ngx_str_t password = poolString(cf->pool, line);
    ngx_explicit_memzero(text, sizeof(text));
    return password;
}

bool readCredentials(ngx_conf_t* cf, const RedisUrl& url, const BusParameters& parameters,
                     BusConfig& bus) noexcept {
    bus.user = poolString(cf->pool, url.user);
    bus.database = url.database;
    const bool isInFile = parameters.passwordFile.data != nullptr;
    if (isInFile && !url.password.empty()) {
        return refuseBus(cf, "\"sse_bus\" has a password in its URL and a \"password_file\"");
    }
    if (!isInFile && !url.user.empty() && url.password.empty()) {
        return refuseBus(cf, "\"sse_bus\" has a user and no password");
    }
    bus.password =
        isInFile ? readPasswordFile(cf, parameters.passwordFile) : poolString(cf->pool, url.password);
    return bus.user.data != nullptr && bus.password.data != nullptr;
}

// --- TLS ---

#if (NGX_SSL)

constexpr ngx_int_t kVerifyDepth = 9;

// Makes its name a whole path. false if it cannot be read.
bool findFile(ngx_conf_t* cf, ngx_str_t& file) noexcept {
    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return false;
    }
    if (access(reinterpret_cast<char*>(file.data), R_OK) == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "cannot read \"%V\" of \"sse_bus\"", &file);
        return false;
    }
    return true;
}

bool trust(ngx_conf_t* cf, ngx_ssl_t* ssl, ngx_str_t file) noexcept {
    return findFile(cf, file) && ngx_ssl_trusted_certificate(cf, ssl, &file, kVerifyDepth) == NGX_OK;
}

// The client certificate, for a server that asks for one.
bool showCertificate(ngx_conf_t* cf, ngx_ssl_t* ssl, const BusParameters& parameters) noexcept {
    ngx_str_t certificate = parameters.certificate;
    ngx_str_t key = parameters.certificateKey;
    if ((certificate.data == nullptr) != (key.data == nullptr)) {
        return refuseBus(cf, "\"certificate\" and \"certificate_key\" in \"sse_bus\" need each other");
    }
    return certificate.data == nullptr ||
           (findFile(cf, certificate) && findFile(cf, key) &&
            ngx_ssl_certificate(cf, ssl, &certificate, &key, nullptr) == NGX_OK);
}

bool makeTls(ngx_conf_t* cf, const BusParameters& parameters, BusConfig& bus) noexcept {
    auto* ssl = static_cast<ngx_ssl_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t)));
    if (ssl == nullptr) {
        return false;
    }
    ssl->log = cf->log;
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (cleanup == nullptr || ngx_ssl_create(ssl, NGX_SSL_TLSv1_2 | NGX_SSL_TLSv1_3, nullptr) != NGX_OK) {
        return false;
    }
    cleanup->handler = ngx_ssl_cleanup_ctx;
    cleanup->data = ssl;
    bus.ssl = ssl;
    if (!showCertificate(cf, ssl, parameters)) {
        return false;
    }
    if (parameters.ca.data != nullptr) {
        return trust(cf, ssl, parameters.ca);
    }
    return !bus.verifies || SSL_CTX_set_default_verify_paths(ssl->ctx) == 1 ||
           refuseBus(cf, "the system's certificates cannot be read for \"sse_bus\"");
}

#else

bool makeTls(ngx_conf_t* cf, const BusParameters&, BusConfig&) noexcept {
    return refuseBus(cf, "\"rediss://\" in \"sse_bus\" needs an nginx that is built with SSL");
}

#endif

bool readTls(ngx_conf_t* cf, const RedisUrl& url, const BusParameters& parameters, BusConfig& bus) noexcept {
    if (!url.tls) {
        for (const BusParameter& parameter : kBusParameters) {
            if (parameter.isForTls && (parameters.*parameter.value).data != nullptr) {
                ngx_str_t key = ngxString(parameter.key);
                return refuseBus(cf, "\"%V\" in \"sse_bus\" needs \"rediss://\"", &key);
            }
        }
        return true;
    }
    bus.serverName = parameters.name;
    if (!readSwitch(cf, "verify", parameters.verify, bus.verifies)) {
        return false;
    }
    if (!bus.verifies && parameters.ca.data != nullptr) {
        return refuseBus(cf, "\"ca\" in \"sse_bus\" means nothing with \"verify=off\"");
    }
    return makeTls(cf, parameters, bus);
}

} // namespace

bool readServer(ngx_conf_t* cf, const ngx_str_t& text, const BusParameters& parameters,
                BusConfig& bus) noexcept {
    auto* room = static_cast<char*>(ngx_pnalloc(cf->pool, text.len + 1));
    if (room == nullptr) {
        return false;
    }
    RedisUrl url{};
    if (const char* fault = parseRedisUrl(toView(text), room, url); fault != nullptr) {
        return refuseBus(cf, "invalid URL in \"sse_bus\": %s", fault);
    }
    return readAddresses(cf, url, bus) && readCredentials(cf, url, parameters, bus) &&
           readTls(cf, url, parameters, bus);
}

} // namespace sse
