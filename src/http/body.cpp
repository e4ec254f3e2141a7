#include "http/body.hpp"

namespace sse {

namespace {

// The size of what can still be read.
//
// nginx-internal: http/ngx_http_upstream.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): when the response of an upstream
// has begun, ngx_http_upstream_send_response() closes the file of the body, if it has one.
off_t sizeOf(const ngx_chain_t* chain) noexcept {
    off_t size = 0;
    for (; chain != nullptr; chain = chain->next) {
        const ngx_buf_t& buffer = *chain->buf;
        const bool isInFile = buffer.in_file && !ngx_buf_in_memory(chain->buf);
        size += isInFile && buffer.file->fd == NGX_INVALID_FILE ? 0 : ngx_buf_size(chain->buf);
    }
    return size;
}

// The Content-Length that the client has sent; negative if there is none, or if it is not a number.
off_t announcedLength(const ngx_http_request_t& r) noexcept {
    const ngx_table_elt_t* header = r.headers_in.content_length;
    return header == nullptr ? NGX_ERROR : ngx_atoof(header->value.data, header->value.len);
}

// The connection ends with the answer to this request.
//
// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_http_finalize_connection()
// lingers if `lingering_close` is set.
void makeLast(ngx_http_request_t& r) noexcept {
    r.main->keepalive = 0;
    r.main->lingering_close = 1;
}

} // namespace

// nginx-internal: http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4), http/v3/ngx_http_v3_request.c
// (1.26.3, 1.30.4, 1.31.4): over HTTP/2 and 3, too, nginx marks a body without a length as chunked.
bool hasBody(const ngx_http_request_t& r) noexcept {
    return r.headers_in.content_length_n > 0 || r.headers_in.chunked;
}

// nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4):
// ngx_http_discard_request_body() counts content_length_n down, and nothing else remains of a body that it
// has thrown away at once.
bool isBodyToCome(const ngx_http_request_t& r) noexcept {
    bool isThrownAway = r.headers_in.content_length_n == 0 && announcedLength(r) > 0;
    return &r == r.main && r.request_body == nullptr && !r.discard_body && !isThrownAway;
}

// nginx-internal: http/ngx_http_request_body.c, http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4):
// `last_saved` is set only for a body that is read, be it chunked, framed or empty. Over HTTP/2 a body that
// nginx has begun to throw away looks like one that ends at once (ngx_http_v2_read_request_body).
bool isBodyWhole(const ngx_http_request_t& r) noexcept {
    const ngx_http_request_body_t* body = r.request_body;
    return !hasBody(r) || body != r.main->request_body || (body != nullptr && body->last_saved);
}

// nginx-internal: http/ngx_http_request_body.c, http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4),
// http/v3/ngx_http_v3_request.c (1.26.3, 1.30.4, 1.31.4): what has been read of a body without a length is
// counted in content_length_n if it is chunked, and in `received` over HTTP/2 and 3. A chunked body that
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
        const off_t counted = main.headers_in.content_length_n;
        length = counted < 0 ? body->received : counted;
    }
    return sizeOf(body->bufs) == length;
}

// nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): while `discard_body` is set,
// nginx throws away the rest; at the end of a chunked body it leaves a length of 0. Over HTTP/2 and 3 a body
// is framed apart from other requests.
bool isBodyUnread(const ngx_http_request_t& r) noexcept {
    const ngx_http_request_t& main = *r.main;
    if (main.http_version > NGX_HTTP_VERSION_11 || !hasBody(main) || main.discard_body) {
        return false;
    }
    const ngx_http_request_body_t* body = main.request_body;
    return body == nullptr || main.reading_body || body->rest != 0 ||
           (!body->last_saved && main.headers_in.content_length_n != 0);
}

// nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4):
// ngx_http_discard_request_body() holds a reference for its handler, which would not notice that the client
// has gone once the body has ended. Over HTTP/3 it does nothing, and what runs next can read the body.
// Reading a body may have left a timer.
void takeOverReading(ngx_http_request_t* r) noexcept {
    if (r->http_version > NGX_HTTP_VERSION_11) {
        (void)ngx_http_discard_request_body(r);
        if (r->stream == nullptr) {
            return;
        }
    } else {
        if (r->discard_body) {
            r->discard_body = 0;
            r->main->count--;
        }
        stopBodyTimeout(r);
        closeIfUnread(r);
    }
    if (r->request_body == nullptr && hasBody(*r)) { // one of which nothing is left
        r->request_body =
            static_cast<ngx_http_request_body_t*>(ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t)));
        if (r->request_body == nullptr) { // then as if there had been none
            r->headers_in.content_length_n = -1;
            r->headers_in.chunked = 0;
        }
    }
    forgetUsedBody(r); // post_action must not promise a body to what it asks
}

void stopBodyTimeout(ngx_http_request_t* r) noexcept {
    ngx_event_t* read = r->connection->read;
    if (r != r->main) {
        return;
    }
    if (read->timer_set) {
        ngx_del_timer(read);
    }
    read->timedout = 0;
}

// nginx-internal: http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): what comes during a pause sets
// client_body_timeout (ngx_http_v2_process_request_body), although it is not the client that has paused.
void restartBodyTimeout(ngx_http_request_t* r) noexcept {
    ngx_event_t* read = r->connection->read;
    if (r != r->main || !(read->timer_set || read->timedout)) {
        return;
    }
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    read->timedout = 0;
    ngx_add_timer(read, core->client_body_timeout);
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

// nginx-internal: http/modules/ngx_http_proxy_module.c, http/ngx_http_upstream.c
// (1.22.1, 1.26.3, 1.30.4, 1.31.4): what an upstream is promised follows from content_length_n, and more is
// read while `reading_body` is set. Without `last_saved` a body is not whole. http/v2/ngx_http_v2.c drops
// what comes after `skip_data`.
void forgetUsedBody(ngx_http_request_t* r) noexcept {
    if (r != r->main || r->request_body == nullptr || isBodyKept(*r)) {
        return;
    }
    closeIfUnread(r);
    r->request_body->bufs = nullptr;
    r->request_body->last_saved = 0;
    r->headers_in.content_length_n = 0;
    r->reading_body = 0;
    stopBodyTimeout(r);
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
