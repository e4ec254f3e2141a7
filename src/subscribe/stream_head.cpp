#include "subscribe/stream_head.hpp"

#include "http/respond.hpp"

namespace sse {

namespace {

// A header that nginx's filters check and that is never sent: a response that already has an encoding is
// neither recoded by "charset" nor compressed (which would cost a quarter of a megabyte for each subscriber).
//
// nginx-internal: http/modules/ngx_http_charset_filter_module.c, http/modules/ngx_http_gzip_filter_module.c
// (1.22.1, 1.26.3, 1.30.4, 1.31.4): both check headers_out.content_encoding; only the headers in the list are
// sent.
ngx_table_elt_t* identityEncoding() noexcept {
    static ngx_table_elt_t header{};
    header.value = ngxString("identity");
    return &header;
}

} // namespace

bool setStreamHead(ngx_http_request_t* r) noexcept {
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = ngxString("text/event-stream");
    r->headers_out.charset = ngxString("utf-8");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = nullptr;
    r->headers_out.content_encoding = identityEncoding();
    // nginx-internal: http/modules/ngx_http_not_modified_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a
    // stream has no version that a condition could ask for.
    r->disable_not_modified = 1;
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    return addHeader(r, "Cache-Control", "no-store, no-cache, no-transform") &&
           addHeader(r, "X-Accel-Buffering", "no");
}

// nginx-internal: http/ngx_http_request.c, http/ngx_http_upstream.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): nginx
// turns on TCP_NODELAY for connections that are kept alive, upgraded, or proxied without buffers, but not for
// a plain response. A stream of HTTP/2 or 3 has no socket of its own.
void sendAtOnce(ngx_http_request_t* r) noexcept {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    if (r->http_version <= NGX_HTTP_VERSION_11 && core->tcp_nodelay) {
        (void)ngx_tcp_nodelay(r->connection);
    }
}

} // namespace sse
