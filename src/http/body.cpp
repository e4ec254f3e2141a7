#include "http/body.hpp"

namespace sse {

namespace {

off_t sizeOf(const ngx_chain_t* chain) noexcept {
    off_t size = 0;
    for (; chain != nullptr; chain = chain->next) {
        size += ngx_buf_size(chain->buf);
    }
    return size;
}

// As the client has sent it; negative if it has not, or if that is no number.
off_t announcedLength(const ngx_http_request_t& r) noexcept {
    const ngx_table_elt_t* header = r.headers_in.content_length;
    return header == nullptr ? NGX_ERROR : ngx_atoof(header->value.data, header->value.len);
}

// The connection ends with the answer to this request.
void makeLast(ngx_http_request_t& r) noexcept {
    r.main->keepalive = 0;
    r.main->lingering_close = 1;
}

} // namespace

// nginx marks a body without a length as chunked over HTTP/2 and 3, too (ngx_http_v2_run_request).
bool hasBody(const ngx_http_request_t& r) noexcept {
    return r.headers_in.content_length_n > 0 || r.headers_in.chunked;
}

// nginx-internal: content_length_n is counted down when nginx throws a body away
// (ngx_http_discard_request_body), so that nothing else is left of it.
bool isBodyToCome(const ngx_http_request_t& r) noexcept {
    bool isThrownAway = r.headers_in.content_length_n == 0 && announcedLength(r) > 0;
    return &r == r.main && r.request_body == nullptr && !r.discard_body && !isThrownAway;
}

// nginx-internal: only of a body that is read is `last_saved` set, be it chunked, framed or empty; over
// HTTP/2 one that nginx has begun to throw away looks like one that ends at once
// (ngx_http_v2_read_request_body).
bool isBodyWhole(const ngx_http_request_t& r) noexcept {
    const ngx_http_request_body_t* body = r.request_body;
    return !hasBody(r) || body != r.main->request_body || (body != nullptr && body->last_saved);
}

// nginx-internal: what has been read of a body without a length is counted in content_length_n by
// ngx_http_request_body.c if it comes in chunks, and in `received` over HTTP/2 and 3. A chunked body that
// nginx throws away has a request_body, too.
bool isBodyKept(const ngx_http_request_t& r) noexcept {
    const ngx_http_request_t& main = *r.main;
    const ngx_http_request_body_t* body = r.request_body;
    if (body != main.request_body) { // a subrequest that has been given a body of its own
        return !hasBody(r) || (body != nullptr && body->bufs != nullptr);
    }
    off_t length = announcedLength(main);
    if (length <= 0 && !hasBody(main)) {
        return true;
    }
    if (body == nullptr || !isBodyWhole(main) || body->rest != 0 || main.reading_body) {
        return false;
    }
    if (length < 0) {
        bool isFramed = main.http_version > NGX_HTTP_VERSION_11;
        length = isFramed ? body->received : main.headers_in.content_length_n;
    }
    return sizeOf(body->bufs) == length;
}

// nginx-internal: while `discard_body` is set nginx throws away the rest by itself; of a chunked body that it
// throws away it leaves a length of 0 in the end. Over HTTP/2 and 3 the body is framed apart from other
// requests.
bool isBodyUnread(const ngx_http_request_t& r) noexcept {
    const ngx_http_request_t& main = *r.main;
    if (main.http_version > NGX_HTTP_VERSION_11 || !hasBody(main) || main.discard_body) {
        return false;
    }
    const ngx_http_request_body_t* body = main.request_body;
    return body == nullptr || main.reading_body || body->rest != 0 ||
           (!body->last_saved && main.headers_in.content_length_n != 0);
}

// nginx-internal: ngx_http_discard_request_body() holds a reference for its own handler, which would notice
// no end of the client when it is done. Whoever has read a body may have left a timer.
void takeOverReading(ngx_http_request_t* r) noexcept {
    if (r->http_version > NGX_HTTP_VERSION_11) {
        (void)ngx_http_discard_request_body(r);
        return;
    }
    if (r->discard_body) {
        r->discard_body = 0;
        r->main->count--;
    }
    if (r->connection->read->timer_set) {
        ngx_del_timer(r->connection->read);
    }
    closeIfUnread(r);
}

bool throwAway(ngx_http_request_t* r) noexcept {
    constexpr int kBlocks = 16;
    u_char block[4096];
    ngx_connection_t* c = r->connection;
    for (int i = 0; i < kBlocks; ++i) {
        ssize_t length = c->recv(c, block, sizeof(block));
        if (length == NGX_AGAIN) {
            return ngx_handle_read_event(c->read, 0) == NGX_OK;
        }
        if (length <= 0) {
            return false;
        }
        makeLast(*r);
    }
    ngx_post_event(c->read, &ngx_posted_next_events);
    return true;
}

// nginx-internal: what an upstream is promised follows from content_length_n (ngx_http_proxy_module.c), and
// more of it is read while `reading_body` is set (ngx_http_upstream.c). Without `last_saved` the body is not
// whole.
void forgetBody(ngx_http_request_t* r) noexcept {
    closeIfUnread(r);
    r->request_body->bufs = nullptr;
    r->request_body->last_saved = 0;
    r->headers_in.content_length_n = 0;
    r->reading_body = 0;
    if (r->connection->read->timer_set) {
        ngx_del_timer(r->connection->read);
    }
#if (NGX_HTTP_V2)
    if (r->stream != nullptr) {
        r->stream->skip_data = 1;
    }
#endif
}

void closeIfUnread(ngx_http_request_t* r) noexcept {
    if (isBodyUnread(*r)) {
        makeLast(*r);
    }
}

} // namespace sse
