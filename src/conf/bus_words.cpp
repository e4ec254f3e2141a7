#include "conf/bus_words.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <unistd.h>

#include "bus/bus_state.hpp"
#include "bus/redis_url.hpp"
#include "conf/bus_config.hpp"

namespace sse {

namespace {

char* const kError = static_cast<char*>(NGX_CONF_ERROR);

constexpr ngx_msec_t kDefaultKeep = 3600'000;
constexpr ngx_msec_t kDefaultTimeout = 5000;
// A connection is given up after half of it, so it must not be shorter than the way to Redis and back.
constexpr ngx_msec_t kLeastTimeout = 500;
constexpr ngx_int_t kMostAcks = 16;
constexpr size_t kMostPassword = 4096;
constexpr std::string_view kKeyOfControl = ":control";
constexpr std::string_view kKeyOfLineage = ":lineage";
constexpr std::string_view kKeysOfRequests = ":key:"; // bus/idempotency.hpp
constexpr std::string_view kKeysOfProducers = ":producer:";
constexpr std::string_view kStreamOfZone = "sse:"; // and the name of the zone

// The words of the directive after the URL.
struct Parameters {
    ngx_str_t stream{};
    ngx_str_t keep{};
    ngx_str_t max{};
    ngx_str_t acks{};
    ngx_str_t timeout{};
    ngx_str_t passwordFile{};
    ngx_str_t ca{};
    ngx_str_t verify{};
    ngx_str_t name{};
};

struct Parameter {
    std::string_view key;
    ngx_str_t Parameters::*value;
    bool isForTls = false;
};

constexpr std::array<Parameter, 9> kParameters{{
    {"stream", &Parameters::stream},
    {"keep", &Parameters::keep},
    {"max", &Parameters::max},
    {"acks", &Parameters::acks},
    {"timeout", &Parameters::timeout},
    {"password_file", &Parameters::passwordFile},
    {"ca", &Parameters::ca, true},
    {"verify", &Parameters::verify, true},
    {"name", &Parameters::name, true},
}};

template <typename... Values>
bool refuse(ngx_conf_t* cf, const char* format, Values... values) noexcept {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, format, values...);
    return false;
}

// Each at most once, and none without a value.
bool readParameters(ngx_conf_t* cf, std::span<ngx_str_t> words, Parameters& parameters) noexcept {
    for (ngx_str_t& word : words) {
        const std::string_view text = toView(word);
        const size_t sign = std::min(text.find('='), text.size());
        const std::string_view key(text.data(), sign);
        const auto* known = std::ranges::find(kParameters, key, &Parameter::key);
        if (known == kParameters.end() || sign == text.size()) {
            return refuse(cf, "invalid parameter \"%V\" in \"sse_bus\"", &word);
        }
        ngx_str_t& value = parameters.*known->value;
        if (value.data != nullptr) {
            return refuse(cf, "duplicate parameter \"%V\" in \"sse_bus\"", &word);
        }
        value = ngxString(dropFirst(text, sign + 1));
        if (value.len == 0) {
            return refuse(cf, "empty parameter \"%V\" in \"sse_bus\"", &word);
        }
    }
    return true;
}

// --- Values ---

bool readTime(ngx_conf_t* cf, const char* key, ngx_str_t& text, ngx_msec_t usual, ngx_msec_t& time) noexcept {
    time = usual;
    if (text.data == nullptr) {
        return true;
    }
    const ngx_int_t read = ngx_parse_time(&text, 0);
    if (read == NGX_ERROR || read == 0) {
        return refuse(cf, "invalid time \"%s=%V\" in \"sse_bus\"", key, &text);
    }
    time = static_cast<ngx_msec_t>(read);
    return true;
}

bool readNumber(ngx_conf_t* cf, const char* key, const ngx_str_t& text, ngx_int_t least,
                ngx_uint_t& number) noexcept {
    number = 0;
    if (text.data == nullptr) {
        return true;
    }
    const ngx_int_t read = ngx_atoi(text.data, text.len);
    if (read == NGX_ERROR || read < least) {
        return refuse(cf, "invalid number \"%s=%V\" in \"sse_bus\"", key, &text);
    }
    number = static_cast<ngx_uint_t>(read);
    return true;
}

bool readSwitch(ngx_conf_t* cf, const char* key, const ngx_str_t& text, bool& isOn) noexcept {
    isOn = text.data == nullptr || toView(text) == "on";
    return isOn || toView(text) == "off" ||
           refuse(cf, "invalid value \"%s=%V\" in \"sse_bus\", it must be \"on\" or \"off\"", key, &text);
}

// `first` and `second` one after the other; data is NULL without memory.
ngx_str_t join(ngx_pool_t* pool, std::string_view first, std::string_view second) noexcept {
    const ngx_str_t joined = {first.size() + second.size(),
                              static_cast<u_char*>(ngx_pnalloc(pool, first.size() + second.size() + 1))};
    if (joined.data != nullptr) {
        u_char* end = ngx_cpymem(joined.data, first.data(), first.size());
        end = ngx_cpymem(end, second.data(), second.size());
        *end = '\0';
    }
    return joined;
}

bool readStream(ngx_conf_t* cf, const Parameters& parameters, BusConfig& bus) noexcept {
    bus.stream = parameters.stream.data != nullptr ? parameters.stream
                                                   : join(cf->pool, kStreamOfZone, toView(bus.zone->name));
    if (bus.stream.data == nullptr) {
        return false;
    }
    bus.controlKey = join(cf->pool, toView(bus.stream), kKeyOfControl);
    bus.lineageKey = join(cf->pool, toView(bus.stream), kKeyOfLineage);
    return bus.controlKey.data != nullptr && bus.lineageKey.data != nullptr;
}

bool readLimits(ngx_conf_t* cf, Parameters& parameters, BusConfig& bus) noexcept {
    if (!readTime(cf, "keep", parameters.keep, kDefaultKeep, bus.keep) ||
        !readTime(cf, "timeout", parameters.timeout, kDefaultTimeout, bus.timeout) ||
        !readNumber(cf, "max", parameters.max, 1, bus.max) ||
        !readNumber(cf, "acks", parameters.acks, 0, bus.acks)) {
        return false;
    }
    if (bus.timeout < kLeastTimeout) {
        return refuse(cf, "too short \"timeout=%V\" in \"sse_bus\", at least %Mms", &parameters.timeout,
                      kLeastTimeout);
    }
    return bus.acks <= kMostAcks || refuse(cf, "too many replicas in \"acks=%V\" of \"sse_bus\", at most %i",
                                           &parameters.acks, kMostAcks);
}

// --- The URL ---

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
    const ngx_str_t password = poolString(cf->pool, line);
    ngx_explicit_memzero(text, sizeof(text));
    return password;
}

bool readCredentials(ngx_conf_t* cf, const RedisUrl& url, const Parameters& parameters,
                     BusConfig& bus) noexcept {
    bus.user = poolString(cf->pool, url.user);
    bus.database = url.database;
    const bool isInFile = parameters.passwordFile.data != nullptr;
    if (isInFile && !url.password.empty()) {
        return refuse(cf, "\"sse_bus\" has a password in its URL and a \"password_file\"");
    }
    if (!isInFile && !url.user.empty() && url.password.empty()) {
        return refuse(cf, "\"sse_bus\" has a user and no password");
    }
    bus.password =
        isInFile ? readPasswordFile(cf, parameters.passwordFile) : poolString(cf->pool, url.password);
    return bus.user.data != nullptr && bus.password.data != nullptr;
}

// --- TLS ---

#if (NGX_SSL)

constexpr ngx_int_t kVerifyDepth = 9;

bool trust(ngx_conf_t* cf, ngx_ssl_t* ssl, ngx_str_t file) noexcept {
    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return false;
    }
    if (access(reinterpret_cast<char*>(file.data), R_OK) == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "cannot read the certificates \"%V\" of \"sse_bus\"",
                           &file);
        return false;
    }
    return ngx_ssl_trusted_certificate(cf, ssl, &file, kVerifyDepth) == NGX_OK;
}

bool makeTls(ngx_conf_t* cf, const Parameters& parameters, BusConfig& bus) noexcept {
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
    if (parameters.ca.data != nullptr) {
        return trust(cf, ssl, parameters.ca);
    }
    return !bus.verifies || SSL_CTX_set_default_verify_paths(ssl->ctx) == 1 ||
           refuse(cf, "the system's certificates cannot be read for \"sse_bus\"");
}

#else

bool makeTls(ngx_conf_t* cf, const Parameters&, BusConfig&) noexcept {
    return refuse(cf, "\"rediss://\" in \"sse_bus\" needs an nginx that is built with SSL");
}

#endif

bool readTls(ngx_conf_t* cf, const RedisUrl& url, const Parameters& parameters, BusConfig& bus) noexcept {
    if (!url.tls) {
        for (const Parameter& parameter : kParameters) {
            if (parameter.isForTls && (parameters.*parameter.value).data != nullptr) {
                ngx_str_t key = ngxString(parameter.key);
                return refuse(cf, "\"%V\" in \"sse_bus\" needs \"rediss://\"", &key);
            }
        }
        return true;
    }
    bus.serverName = parameters.name;
    if (!readSwitch(cf, "verify", parameters.verify, bus.verifies)) {
        return false;
    }
    if (!bus.verifies && parameters.ca.data != nullptr) {
        return refuse(cf, "\"ca\" in \"sse_bus\" means nothing with \"verify=off\"");
    }
    return makeTls(cf, parameters, bus);
}

bool readUrl(ngx_conf_t* cf, const ngx_str_t& word, const Parameters& parameters, BusConfig& bus) noexcept {
    auto* room = static_cast<char*>(ngx_pnalloc(cf->pool, word.len + 1));
    if (room == nullptr) {
        return false;
    }
    RedisUrl url{};
    if (const char* fault = parseRedisUrl(toView(word), room, url); fault != nullptr) {
        return refuse(cf, "invalid URL in \"sse_bus\": %s", fault);
    }
    return readAddresses(cf, url, bus) && readCredentials(cf, url, parameters, bus) &&
           readTls(cf, url, parameters, bus);
}

// --- The zone ---

std::span<BusConfig* const> busesOf(const MainConfig& config) noexcept {
    return {static_cast<BusConfig* const*>(config.buses.elts), config.buses.nelts};
}

bool haveServerInCommon(const BusConfig& one, const BusConfig& other) noexcept {
    return one.database == other.database &&
           std::ranges::any_of(one.addresses, [&other](const BusAddress& mine) noexcept {
               return std::ranges::any_of(other.addresses, [&mine](const BusAddress& theirs) noexcept {
                   return toView(mine.host) == toView(theirs.host) && mine.port == theirs.port;
               });
           });
}

// Whether the bus has that key in Redis: its stream, or one that begins with that and a colon.
bool hasKey(const BusConfig& bus, const ngx_str_t& key) noexcept {
    const std::string_view text = toView(key);
    const std::string_view stream = toView(bus.stream);
    const std::string_view rest = text.starts_with(stream) ? dropFirst(text, stream.size()) : "?";
    return rest.empty() || rest == kKeyOfControl || rest == kKeyOfLineage ||
           rest.starts_with(kKeysOfRequests) || rest.starts_with(kKeysOfProducers);
}

// A bus of this configuration that has keys in common with this one, as far as their addresses tell; NULL if
// there is none.
const BusConfig* findSameKeys(const MainConfig& config, const BusConfig& bus) noexcept {
    const auto found = std::ranges::find_if(busesOf(config), [&bus](const BusConfig* other) noexcept {
        return haveServerInCommon(*other, bus) && (hasKey(*other, bus.stream) || hasKey(bus, other->stream));
    });
    return found == busesOf(config).end() ? nullptr : *found;
}

// What the words of sse_bus say. false after an error, which is logged.
bool readBus(ngx_conf_t* cf, const MainConfig& config, std::span<ngx_str_t> words, BusConfig& bus) noexcept {
    bus.zone = findZone(config, toView(words[0]));
    if (bus.zone == nullptr) {
        return refuse(cf, "unknown zone \"%V\" in \"sse_bus\", its \"sse_zone\" must come before", &words[0]);
    }
    if (bus.zone->bus != nullptr) {
        return refuse(cf, "zone \"%V\" in \"sse_bus\" is duplicate", &words[0]);
    }
    Parameters parameters;
    if (!readParameters(cf, words.subspan(2), parameters) || !readStream(cf, parameters, bus) ||
        !readLimits(cf, parameters, bus) || !readUrl(cf, words[1], parameters, bus)) {
        return false;
    }
    const BusConfig* same = findSameKeys(config, bus);
    return same == nullptr ||
           refuse(cf, "zones \"%V\" and \"%V\" in \"sse_bus\" have the same keys in Redis, \"%V\" and \"%V\"",
                  &same->zone->name, &bus.zone->name, &same->stream, &bus.stream);
}

// --- When everything has been read ---

// nginx-internal: http/ngx_http.c, http/ngx_http_core_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a block
// without `resolver` has none, or gets one without servers when the core merges its configuration.
void findResolver(ngx_conf_t* cf, BusConfig& bus) noexcept {
    const auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    const bool isThere = core->resolver != nullptr && core->resolver->connections.nelts != 0;
    bus.resolver = isThere ? core->resolver : nullptr;
    bus.resolverTimeout = core->resolver_timeout == NGX_CONF_UNSET_MSEC ? 30'000 : core->resolver_timeout;
}

bool resolveNames(ngx_conf_t* cf, const BusConfig& bus) noexcept {
    for (const BusAddress& address : bus.addresses) {
        if (!address.isName) {
            continue;
        }
        ngx_url_t url{};
        url.url = address.text;
        url.default_port = address.port;
        if (ngx_parse_url(cf->pool, &url) != NGX_OK) {
            ngx_log_error(
                NGX_LOG_EMERG, cf->log, 0,
                "%s in \"sse_bus\" \"%V\", and there is no \"resolver\" in the http block in %V:%ui",
                url.err == nullptr ? "no memory" : url.err, &address.text, &bus.file, bus.line);
            return false;
        }
        const_cast<BusAddress&>(address).addresses = {url.addrs, url.naddrs};
    }
    return true;
}

// ngx_shm_zone_t::init. On reload the memory is still in use by the old workers: then nothing is written.
ngx_int_t initState(ngx_shm_zone_t* shared, void* old) noexcept {
    auto& bus = *static_cast<BusConfig*>(shared->data);
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(shared->shm.addr);
    if (old == nullptr && !shared->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(BusState));
    }
    bus.state = static_cast<BusState*>(pool->data);
    if (bus.state == nullptr) {
        return NGX_ERROR;
    }
    bus.zone->filled = &bus.state->isFilled;
    return NGX_OK;
}

bool addMemory(ngx_conf_t* cf, BusConfig& bus) noexcept {
    ngx_str_t name = join(cf->pool, kBusMemory, toView(bus.zone->name));
    if (name.data == nullptr) {
        return false;
    }
    const size_t size = sizeof(BusState) + 16 * ngx_pagesize; // the rest is for the slab pool itself
    ngx_shm_zone_t* shared = ngx_shared_memory_add(cf, &name, size, &ngx_http_sse_module);
    if (shared == nullptr) {
        return false;
    }
    shared->init = initState;
    shared->data = &bus;
    return true;
}

} // namespace

// sse_bus zone url [parameter=value]...
char* setBus(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept {
    auto& config = *static_cast<MainConfig*>(conf);
    auto* bus = static_cast<BusConfig*>(ngx_pcalloc(cf->pool, sizeof(BusConfig)));
    auto words = std::span(static_cast<ngx_str_t*>(cf->args->elts), cf->args->nelts).subspan(1);
    if (bus == nullptr || !readBus(cf, config, words, *bus)) {
        return kError;
    }
    auto** place = static_cast<BusConfig**>(ngx_array_push(&config.buses));
    if (place == nullptr) {
        return kError;
    }
    *place = bus;
    bus->file = cf->conf_file->file.name;
    bus->line = cf->conf_file->line;
    bus->zone->bus = bus;
    return NGX_CONF_OK;
}

bool finishBuses(ngx_conf_t* cf, const MainConfig& config) noexcept {
    return std::ranges::all_of(busesOf(config), [cf](BusConfig* bus) noexcept {
        findResolver(cf, *bus);
        return (bus->resolver != nullptr || resolveNames(cf, *bus)) && addMemory(cf, *bus);
    });
}

} // namespace sse
