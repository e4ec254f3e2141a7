#include "http/cors.hpp"

#include <algorithm>

#include "http/header_list.hpp"
#include "http/request.hpp"
#include "http/respond.hpp"

namespace sse {

namespace {

constexpr std::string_view kAllowOrigin = "Access-Control-Allow-Origin";
constexpr std::string_view kAllowCredentials = "Access-Control-Allow-Credentials";
constexpr std::string_view kAllowMethods = "Access-Control-Allow-Methods";
constexpr std::string_view kAllowHeaders = "Access-Control-Allow-Headers";
constexpr std::string_view kMaxAge = "Access-Control-Max-Age";
constexpr std::string_view kExposeHeaders = "Access-Control-Expose-Headers";

bool allowsAny(const LocationConfig& config) noexcept {
    return toView(stringsOf(*config.origins).front()) == "*";
}

// The value of Access-Control-Allow-Origin for that origin; empty: none.
std::string_view allowedOrigin(const LocationConfig& config, std::string_view origin) noexcept {
    if (origin.empty()) {
        return {};
    }
    if (allowsAny(config)) {
        return "*";
    }
    return isListedOrigin(config, origin) ? origin : std::string_view();
}

bool isPreflight(ngx_http_request_t* r) noexcept {
    return r->method == NGX_HTTP_OPTIONS && !requestOrigin(*r).empty() &&
           !firstHeader(*r, "access-control-request-method").empty();
}

// What a page may do in the location with one of these origins; empty: nothing. An origin that is not listed
// by name may change nothing, unless the location does not check where requests come from (origin_check.hpp).
std::string_view methodsFor(const LocationConfig& config) noexcept {
    const bool mayChange = !allowsAny(config) || config.checkOrigin == 0;
    if (config.kick) {
        return mayChange ? "POST, DELETE" : "";
    }
    return config.publish != nullptr && mayChange ? "GET, HEAD, POST, PUT, DELETE" : "GET, HEAD";
}

// Only for a preflight.
bool addPreflightHeaders(ngx_http_request_t* r, const LocationConfig& config) noexcept {
    const std::string_view methods = methodsFor(config);
    return (methods.empty() || addHeader(r, kAllowMethods, methods)) &&
           addHeader(r, kAllowHeaders, toView(config.corsHeaders)) && addHeader(r, kMaxAge, "86400");
}

bool addToken(ngx_http_request_t* r, std::string_view name, std::string_view token) noexcept {
    return hasHeaderToken(r, name, token) || addHeader(r, name, token);
}

bool addAllowance(ngx_http_request_t* r, const LocationConfig& config, std::string_view origin) noexcept {
    return addHeader(r, kAllowOrigin, origin) && addToken(r, kExposeHeaders, "Last-Event-ID") &&
           addToken(r, kExposeHeaders, "Retry-After") && // a page that polls waits for that long
           (config.corsCredentials == 0 || addHeader(r, kAllowCredentials, "true")) &&
           (!isPreflight(r) || addPreflightHeaders(r, config));
}

ngx_int_t answerPreflight(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    if (config.origins == nullptr || !isEndpoint(config) || r != r->main || !isPreflight(r)) {
        return NGX_DECLINED;
    }
    return NGX_HTTP_NO_CONTENT;
}

} // namespace

std::string_view requestOrigin(const ngx_http_request_t& r) noexcept {
    return onlyHeader(r, "origin");
}

bool isListedOrigin(const LocationConfig& config, std::string_view origin) noexcept {
    if (config.origins == nullptr || allowsAny(config)) {
        return false;
    }
    return std::ranges::any_of(stringsOf(*config.origins),
                               [origin](const ngx_str_t& one) { return toView(one) == origin; });
}

bool addCorsHeaders(ngx_http_request_t* r, const LocationConfig& config) noexcept {
    if (config.origins == nullptr) {
        return true;
    }
    for (std::string_view name : {kAllowOrigin, kAllowCredentials, kAllowMethods, kAllowHeaders, kMaxAge}) {
        removeHeader(r, name);
    }
    // The answer depends on the origin of the request, even if it has none.
    if (!allowsAny(config) && !addToken(r, "Vary", "Origin")) {
        return false;
    }
    std::string_view allowed = allowedOrigin(config, requestOrigin(*r));
    return allowed.empty() || addAllowance(r, config, allowed);
}

ngx_int_t addPreflightHandler(ngx_conf_t* cf) noexcept {
    const auto& main = *static_cast<MainConfig*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_sse_module));
    if (!main.cors) {
        return NGX_OK;
    }
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto* handler =
        static_cast<ngx_http_handler_pt*>(ngx_array_push(&core->phases[NGX_HTTP_PREACCESS_PHASE].handlers));
    if (handler == nullptr) {
        return NGX_ERROR;
    }
    *handler = answerPreflight;
    return NGX_OK;
}

} // namespace sse
