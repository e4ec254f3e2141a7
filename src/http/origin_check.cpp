#include "http/origin_check.hpp"

#include "http/cors.hpp"
#include "http/request.hpp"
#include "sse/token.hpp"

namespace sse {

namespace {

// The host and port of a target in absolute form; empty if the target is a path.
//
// nginx-internal: http/ngx_http_parse.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): `host_start` is where the host lies
// in the request line. `host_end` leaves out the port.
std::string_view hostOfTarget(const ngx_http_request_t& r) noexcept {
    if (r.http_version > NGX_HTTP_VERSION_11 || r.host_start == nullptr) {
        return {};
    }
    auto before = static_cast<size_t>(r.host_start - r.request_line.data);
    std::string_view rest = dropFirst(toView(r.request_line), before);
    return rest.substr(0, rest.find_first_of("/?# "));
}

// A host in the target takes the place of the header (RFC 9112, section 3.2.2), also where nginx chooses the
// server.
//
// nginx-internal: http/v3/ngx_http_v3_request.c (1.26.3, 1.30.4, 1.31.4): over HTTP/3 the host may be in the
// pseudo-header :authority alone, of which nginx keeps only where it lies.
std::string_view hostOf(const ngx_http_request_t& r) noexcept {
    if (std::string_view host = hostOfTarget(r); !host.empty()) {
        return host;
    }
    if (r.headers_in.host != nullptr) {
        return toView(r.headers_in.host->value);
    }
    return {reinterpret_cast<const char*>(r.host_start), static_cast<size_t>(r.host_end - r.host_start)};
}

// Whether a browser says that the request comes from a foreign page. Any page can make a browser send a POST,
// with the cookies of its user and from inside the user's network. Clients that are not browsers send none of
// these headers.
bool isForeignPage(const ngx_http_request_t& r, const LocationConfig& config) noexcept {
    std::string_view origin = requestOrigin(r);
    // "null" proves nothing: any page can have it, in a sandboxed frame.
    if (!origin.empty() && origin != "null" && isListedOrigin(config, origin)) {
        return false;
    }
    if (!firstHeader(r, "sec-fetch-site").empty()) {
        // Empty if there are two: we cannot tell which is the browser's.
        std::string_view site = onlyHeader(r, "sec-fetch-site");
        return !equalTokens(site, "same-origin") && !equalTokens(site, "none");
    }
    std::string_view host = hostOf(r);
    size_t authority = origin.find("://");
    bool isOwn = authority != std::string_view::npos && !host.empty() &&
                 equalTokens(dropFirst(origin, authority + 3), host);
    return !isOwn && !firstHeader(r, "origin").empty();
}

// Whether the application has sent the request here by X-Accel-Redirect: then the application has allowed it.
// An error page may have redirected it since, and the header may be present without having been used.
//
// nginx-internal: http/ngx_http_upstream.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): as
// ngx_http_upstream_process_headers() decides.
bool isAllowedByApplication(ngx_http_request_t* r) noexcept {
    const ngx_http_upstream_t* upstream = r->upstream;
    if (r != r->main || !r->internal || upstream == nullptr ||
        upstream->headers_in.x_accel_redirect == nullptr ||
        (upstream->conf->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT) != 0 ||
        upstream->headers_in.status_n >= NGX_HTTP_SPECIAL_RESPONSE) {
        return false;
    }
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    ngx_str_t target = upstream->headers_in.x_accel_redirect->value;
    if (toView(target).starts_with('@')) {
        return toView(target) == toView(core->name);
    }
    ngx_str_t args = ngx_null_string;
    ngx_uint_t flags = 0;
    return ngx_http_parse_unsafe_uri(r, &target, &args, &flags) == NGX_OK && toView(target) == toView(r->uri);
}

} // namespace

bool isRefusedPage(ngx_http_request_t* r, const LocationConfig& config) noexcept {
    return config.checkOrigin != 0 && isForeignPage(*r, config) && !isAllowedByApplication(r);
}

} // namespace sse
