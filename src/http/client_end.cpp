#include "http/client_end.hpp"

namespace sse {

namespace {

// With poll and select a read event comes again and again for what has not been read; nginx adds the event
// again when it wants to read.
void stopAsking(ngx_event_t* read) noexcept {
    if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) != 0 && read->active) {
        (void)ngx_del_event(read, NGX_READ_EVENT, 0);
    }
}

} // namespace

// With edge-triggered events the FIN of the client may have been seen already, hence the posted event.
bool watchClient(ngx_http_request_t* r, ngx_http_event_handler_pt handler) noexcept {
    ngx_connection_t* c = r->connection;
    r->read_event_handler = handler;
    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
        return true;
    }
    return ngx_handle_read_event(c->read, 0) == NGX_OK;
}

// Over HTTP/1, the end of a client that has sent another request is seen only with epoll, which reports it at
// once.
//
// nginx-internal: http/ngx_http_request.c, http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4),
// event/quic/ngx_event_quic_streams.c (1.26.3, 1.30.4, 1.31.4): as ngx_http_test_reading() decides. Over
// HTTP/3 a STOP_SENDING is reported to the write event.
bool hasClientGone(ngx_http_request_t* r) noexcept {
    ngx_connection_t* c = r->connection;
    if (r->http_version > NGX_HTTP_VERSION_11) {
        return c->error || c->read->error || c->write->error;
    }
    if (c->error || c->read->pending_eof) {
        return true;
    }
    char byte;
    const ssize_t length = recv(c->fd, &byte, 1, MSG_PEEK);
    if (length > 0) {
        stopAsking(c->read);
        return false;
    }
    return length == 0 || ngx_socket_errno != NGX_EAGAIN;
}

} // namespace sse
