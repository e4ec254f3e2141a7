#include "conf/cors_words.hpp"

#include <algorithm>
#include <span>
#include <string_view>

#include "conf/words.hpp"
#include "sse/origin.hpp"
#include "sse/token.hpp"

namespace sse {

namespace {

constexpr std::string_view kListSeparator = ", "; // of the values in a header

// Whether that word may be in the list of sse_cors; if not, logs why.
bool checkOrigin(ngx_conf_t* cf, const ngx_str_t& word) noexcept {
    if (toView(word) == "*" || toView(word) == "null") {
        return true;
    }
    ngx_str_t fault = ngxString(originFault(toView(word)));
    if (fault.len != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid origin \"%V\" in \"sse_cors\": %V", &word, &fault);
    }
    return fault.len == 0;
}

// Whether the origins of sse_cors are valid together, and with "credentials".
bool checkOrigins(ngx_conf_t* cf, const LocationConfig& config) noexcept {
    std::span<ngx_str_t> origins(static_cast<ngx_str_t*>(config.origins->elts), config.origins->nelts);
    auto has = [&origins](std::string_view text) {
        return std::any_of(origins.begin(), origins.end(),
                           [text](const ngx_str_t& origin) { return toView(origin) == text; });
    };
    bool credentials = config.corsCredentials == 1;
    if (origins.empty() || (has("*") && (origins.size() > 1 || credentials))) {
        ngx_conf_log_error(
            NGX_LOG_EMERG, cf, 0,
            "\"sse_cors\" takes a list of origins, or \"*\" alone and without \"credentials\"");
        return false;
    }
    if (has("null") && credentials) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sse_cors\" takes \"null\" only without \"credentials\": any page in a sandbox "
                           "has that origin");
        return false;
    }
    return true;
}

// Reads the words of sse_cors, which are not "off"; false after an error.
bool takeOrigins(ngx_conf_t* cf, LocationConfig& config) noexcept {
    config.origins = makeArray(cf, sizeof(ngx_str_t));
    if (config.origins == nullptr) {
        return false;
    }
    for (const ngx_str_t& word : arguments(cf)) {
        if (toView(word) == "credentials") {
            config.corsCredentials = 1;
        } else if (!checkOrigin(cf, word) || !pushString(config.origins, word)) {
            return false;
        }
    }
    return checkOrigins(cf, config);
}

} // namespace

// sse_cors origin … [credentials]|off
char* setCors(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.origins != NGX_CONF_UNSET_PTR) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    if (words.size() == 1 && toView(words[0]) == "off") {
        config.origins = nullptr;
        return NGX_CONF_OK;
    }
    mainConfig(cf)->cors = true;
    return takeOrigins(cf, config) ? NGX_CONF_OK : kError;
}

// sse_cors_headers name …
char* setCorsHeaders(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.corsHeaders.data != nullptr) {
        return kDuplicate;
    }
    size_t room = kUsualCorsHeaders.size();
    for (const ngx_str_t& word : arguments(cf)) {
        if (!isToken(toView(word)) || hasVariable(word)) {
            return invalid(cf, command, word);
        }
        room += kListSeparator.size() + word.len;
    }
    auto* text = static_cast<u_char*>(ngx_pnalloc(cf->pool, room));
    if (text == nullptr) {
        return kError;
    }
    u_char* end = ngx_cpymem(text, kUsualCorsHeaders.data(), kUsualCorsHeaders.size());
    for (const ngx_str_t& word : arguments(cf)) {
        std::string_view list(reinterpret_cast<char*>(text), static_cast<size_t>(end - text));
        if (!hasToken(list, toView(word))) {
            end = ngx_cpymem(end, kListSeparator.data(), kListSeparator.size());
            ngx_strlow(end, word.data, word.len);
            end += word.len;
        }
    }
    config.corsHeaders = {static_cast<size_t>(end - text), text};
    return NGX_CONF_OK;
}

} // namespace sse
