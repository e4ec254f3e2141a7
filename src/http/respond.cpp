#include "http/respond.hpp"

#include <algorithm>
#include <span>

#include "http/body.hpp"

namespace sse {

ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view json) noexcept {
    ngx_str_t type = ngx_string("application/json");
    ngx_http_complex_value_t body{};
    body.value = ngxString(json);
    return ngx_http_send_response(r, status, &type, &body);
}

void logRefusal(const ngx_http_request_t* r, ngx_uint_t status, std::string_view reason) noexcept {
    static time_t second = 0;
    static ngx_uint_t unlogged = 0;
    if (ngx_time() == second) {
        ++unlogged;
        return;
    }
    second = ngx_time();
    ngx_str_t text = ngxString(reason);
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "sse: refused with %ui: %V (%ui more since the last)",
                  status, &text, unlogged);
    unlogged = 0;
}

// nginx-internal: as ngx_http_special_response_handler() decides. For a request that has timed out it does
// not ask, but closes the connection.
bool hasErrorPage(ngx_http_request_t* r, ngx_uint_t status) noexcept {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    if (r->error_page || core->error_pages == nullptr || r->uri_changes == 0 ||
        status == NGX_HTTP_REQUEST_TIME_OUT) {
        return false;
    }
    std::span<ngx_http_err_page_t> pages(static_cast<ngx_http_err_page_t*>(core->error_pages->elts),
                                         core->error_pages->nelts);
    bool isFound = std::any_of(pages.begin(), pages.end(), [status](const ngx_http_err_page_t& page) {
        return page.status == static_cast<ngx_int_t>(status);
    });
    if (isFound && r == r->main && r->request_body != nullptr && !isBodyKept(*r)) {
        forgetBody(r);
    }
    return isFound;
}

ngx_int_t refuse(ngx_http_request_t* r, ngx_uint_t status, std::string_view reason,
                 std::string_view retryAfter) noexcept {
    logRefusal(r, status, reason);
    if (hasErrorPage(r, status)) {
        return static_cast<ngx_int_t>(status);
    }
    constexpr std::string_view kBefore = "{\"error\":\"";
    constexpr std::string_view kAfter = "\"}\n";
    size_t length = kBefore.size() + reason.size() + kAfter.size();
    auto* body = static_cast<u_char*>(ngx_pnalloc(r->pool, length));
    if (body == nullptr || (!retryAfter.empty() && !addHeader(r, "Retry-After", retryAfter))) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    u_char* p = ngx_cpymem(body, kBefore.data(), kBefore.size());
    p = ngx_cpymem(p, reason.data(), reason.size());
    ngx_memcpy(p, kAfter.data(), kAfter.size());
    return respond(r, status, {reinterpret_cast<char*>(body), length});
}

ngx_int_t refuseMethod(ngx_http_request_t* r, std::string_view allowed) noexcept {
    if (!addHeader(r, "Allow", allowed)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r->method != NGX_HTTP_OPTIONS) {
        return refuse(r, NGX_HTTP_NOT_ALLOWED, "the method is not allowed here");
    }
    return NGX_HTTP_NO_CONTENT;
}

bool addHeader(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept {
    auto* header = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (header == nullptr) {
        return false;
    }
    *header = {};
    header->hash = 1;
    header->key = ngxString(name);
    header->value = ngxString(value);
    return true;
}

} // namespace sse
