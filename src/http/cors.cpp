#include "http/cors.hpp"

#include <algorithm>
#include <span>

#include "config.hpp"
#include "http/respond.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

constexpr std::string_view kAllowOrigin = "Access-Control-Allow-Origin";

// What is to be answered to that origin; empty: nothing.
std::string_view allowedOrigin(const LocationConfig& config, std::string_view origin) noexcept {
    std::span<ngx_str_t> allowed(static_cast<ngx_str_t*>(config.origins->elts), config.origins->nelts);
    if (view(allowed[0]) == "*") {
        return "*";
    }
    bool listed = std::any_of(allowed.begin(), allowed.end(),
                              [origin](const ngx_str_t& one) { return view(one) == origin; });
    return listed ? origin : std::string_view();
}

bool addOriginHeaders(ngx_http_request_t* r, const LocationConfig& config, std::string_view origin) noexcept {
    return addHeader(r, kAllowOrigin, origin) &&
           addHeader(r, "Access-Control-Expose-Headers", "Last-Event-ID") &&
           (config.corsCredentials == 0 || addHeader(r, "Access-Control-Allow-Credentials", "true"));
}

bool addPreflightHeaders(ngx_http_request_t* r, const LocationConfig& config) noexcept {
    std::string_view methods = config.publish != nullptr ? "GET, HEAD, POST, PUT, DELETE" : "GET, HEAD";
    return addHeader(r, "Access-Control-Allow-Methods", methods) &&
           addHeader(r, "Access-Control-Allow-Headers",
                     "authorization, cache-control, content-type, last-event-id") &&
           addHeader(r, "Access-Control-Max-Age", "86400");
}

// An internal redirect passes by here again, and what was added the first time is still there.
bool isAnswered(ngx_http_request_t* r) noexcept {
    for (ngx_list_part_t* part = &r->headers_out.headers.part; part != nullptr; part = part->next) {
        auto* headers = static_cast<ngx_table_elt_t*>(part->elts);
        bool found = std::any_of(headers, headers + part->nelts, [](const ngx_table_elt_t& header) {
            return view(header.key) == kAllowOrigin;
        });
        if (found) {
            return true;
        }
    }
    return false;
}

ngx_int_t handleCors(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    if (config.origins == nullptr || r != r->main || isAnswered(r)) {
        return NGX_DECLINED;
    }
    std::string_view origin = view(requestHeader(r, "origin"));
    std::string_view allowed = origin.empty() ? std::string_view() : allowedOrigin(config, origin);
    bool isPreflight =
        r->method == NGX_HTTP_OPTIONS && requestHeader(r, "access-control-request-method").data != nullptr;

    // Whatever is answered depends on who asks, also when nobody does.
    bool varies = view(*static_cast<ngx_str_t*>(config.origins->elts)) != "*";
    bool added = (!varies || addHeader(r, "Vary", "Origin")) &&
                 (allowed.empty() || addOriginHeaders(r, config, allowed)) &&
                 (allowed.empty() || !isPreflight || addPreflightHeaders(r, config));
    if (!added) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!isPreflight) {
        return NGX_DECLINED;
    }
    Worker::self().noteEnd(r);
    return NGX_HTTP_NO_CONTENT;
}

} // namespace

ngx_int_t addCorsHandler(ngx_conf_t* cf) noexcept {
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
    *handler = handleCors;
    return NGX_OK;
}

} // namespace sse
