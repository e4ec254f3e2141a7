#include "output/stream.hpp"

#include <algorithm>
#include <climits>

#include "http/header_room.hpp"
#include "output/bypass.hpp"
#include "output/transport.hpp"

namespace sse {

void Stream::open(ngx_http_request_t* request, ngx_msec_t sendTimeout) noexcept {
    connection_ = request->connection;
    rest_ = {};
    way_ = Way::Undecided;
    request_ = request;
    sendTimeout_ = sendTimeout;
    sentBefore_ = transportSentBefore_ = 0;
    buffer_ = {};
    link_ = {};
}

Stream::Status Stream::send(BatchRef batch) noexcept {
    batch_ = std::move(batch);
    if (way_ != Way::Direct) {
        return sendChain();
    }
    rest_ = chunked_ ? batch_->chunk() : batch_->content();
    return sendRest();
}

Stream::Status Stream::flush() noexcept {
    if (way_ != Way::Direct) {
        // nginx-internal: http/ngx_http_write_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): an empty
        // chain is logged as an alert if nothing is buffered.
        return blocked() ? push(nullptr) : settle(NGX_OK);
    }
    Status status = blocked() ? sendRest() : Status::Sent;
    return status == Status::Sent ? through() : status;
}

// As long as everything goes through, no timer is set, and nginx's request and events are not touched.
Stream::Status Stream::sendRest() noexcept {
    do {
        auto* bytes = reinterpret_cast<u_char*>(const_cast<char*>(rest_.data()));
        ssize_t sent = connection_->send(connection_, bytes, rest_.size());
        if (sent == NGX_AGAIN) {
            return wait();
        }
        if (sent < 0) {
            connection_->error = 1;
            return Status::Failed;
        }
        rest_.remove_prefix(static_cast<size_t>(sent));
    } while (!rest_.empty() && connection_->write->ready);
    if (!rest_.empty()) {
        return wait();
    }
    batch_.reset();
    return Status::Sent;
}

Stream::Status Stream::sendChain() noexcept {
    buffer_ = {};
    buffer_.start = buffer_.pos = reinterpret_cast<u_char*>(batch_->bytes());
    buffer_.end = buffer_.last = buffer_.pos + batch_->size;
    buffer_.tag = &ngx_http_sse_module;
    buffer_.memory = 1;
    buffer_.flush = 1;
    link_.buf = &buffer_;
    link_.next = nullptr;

    return push(&link_);
}

// nginx-internal: event/ngx_event_openssl.c, http/modules/ngx_http_chunked_filter_module.c (1.22.1, 1.26.3,
// 1.30.4, 1.31.4): the end of a chunk comes after our buffer and has no flush flag: if it is all that is left
// for TLS's own buffer, it stays there although the socket takes more, and no event would come for it. Hence
// the second call.
Stream::Status Stream::push(ngx_chain_t* chain) noexcept {
    ngx_int_t rc = ngx_http_output_filter(request_, chain);
    const ngx_event_t* write = connection_->write;
    if (rc != NGX_ERROR && connection_->buffered && write->ready && !write->delayed) {
        rc = ngx_http_output_filter(request_, nullptr);
    }
    return settle(rc);
}

// nginx-internal: http/ngx_http_postpone_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): while a subrequest
// has its turn (add_before_body, SSI) our bytes wait there, and no buffered bit shows that.
bool Stream::blockedInChain() const noexcept {
    return request_->buffered || connection_->buffered || request_->postponed != nullptr ||
           connection_->data != request_;
}

// The return code of the filters does not say whether all bytes have been sent; the buffered bits do.
Stream::Status Stream::settle(ngx_int_t rc) noexcept {
    if (rc == NGX_ERROR || connection_->error) {
        return Status::Failed;
    }
    if (blocked()) {
        return wait();
    }
    if (ngx_buf_size(&buffer_) == 0) {
        batch_.reset();
        decideWay();
    }
    return through();
}

Stream::Status Stream::wait() noexcept {
    watchProgress();
    auto* location =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(request_, ngx_http_core_module));
    return ngx_handle_write_event(connection_->write, location->send_lowat) == NGX_OK ? Status::Blocked
                                                                                      : Status::Failed;
}

// Nothing is left to wait for. With poll and select a write event comes again and again until it is deleted.
Stream::Status Stream::through() noexcept {
    stopWaiting();
    return ngx_handle_write_event(connection_->write, 0) == NGX_OK ? Status::Sent : Status::Failed;
}

void Stream::stopWaiting() noexcept {
    ngx_event_t* write = connection_->write;
    if (write->timer_set && !write->delayed) {
        ngx_del_timer(write);
    }
}

// The first bytes have been sent, and nothing is held back.
void Stream::decideWay() noexcept {
    if (way_ != Way::Undecided) {
        return;
    }
    way_ = mayBypassFilters(request_) ? Way::Direct : Way::Chain;
    chunked_ = request_->chunked;
    if (way_ == Way::Direct) {
        freeSpareHeaderRoom(request_);
    }
#if (NGX_SSL)
    // nginx-internal: event/ngx_event_openssl.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): only the chain uses the
    // buffer of 16 KB, and allocates it again if need be.
    if (way_ == Way::Direct && connection_->ssl != nullptr) {
        ngx_ssl_free_buffer(connection_);
    }
#endif
}

// nginx-internal: http/ngx_http_write_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the timer of a write
// event that is `delayed` belongs to limit_rate.
void Stream::watchProgress() noexcept {
    ngx_event_t* write = connection_->write;
    if (write->delayed) {
        return;
    }
    if (!write->timer_set || connection_->sent != sentBefore_) {
        sentBefore_ = connection_->sent;
        transportSentBefore_ = transportOf(request_)->sent;
        ngx_add_timer(write, sendTimeout_);
    }
}

// nginx-internal: http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a stream with a frame in the queue
// of its connection cannot be closed before that frame is out. If the connection has stood still for as long
// as the stream, waiting is in vain, and nginx's own timer for it, which may be much longer, is due now.
void Stream::giveUp() noexcept {
    if (!rest_.empty()) {
        // nginx-internal: event/ngx_event_openssl.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): then TLS is closed
        // without a close_notify, which could not be sent in the middle of a record.
        connection_->error = 1;
    }
    ngx_connection_t* c = transportOf(request_);
    if (c != connection_ && c->write->timer_set && c->sent == transportSentBefore_) {
        ngx_add_timer(c->write, 1);
    }
}

// A client whose network goes away sends neither FIN nor RST. Only the kernel can detect that, from what is
// not acknowledged, and by default it takes a quarter of an hour. (QUIC has its own limit.)
void Stream::setSilenceLimit(ngx_msec_t limit) noexcept {
    if (connection_->listening->type != SOCK_STREAM ||
        connection_->listening->sockaddr->sa_family == AF_UNIX) {
        return;
    }
    auto value = static_cast<unsigned>(std::min<ngx_msec_t>(limit, INT_MAX));
    if (setsockopt(connection_->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof(value)) == -1) {
        (void)ngx_connection_error(connection_, ngx_socket_errno,
                                   const_cast<char*>("setsockopt(TCP_USER_TIMEOUT) failed"));
    }
}

// Later requests on a connection that is kept alive have other limits. (A connection of HTTP/2 keeps ours: it
// may have other streams.)
ngx_int_t Stream::finish() noexcept {
    stopWaiting();
    if (request_->keepalive && transportOf(request_) == connection_) {
        setSilenceLimit(0);
    }
    return ngx_http_send_special(request_, NGX_HTTP_LAST);
}

} // namespace sse
