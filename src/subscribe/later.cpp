#include "subscribe/later.hpp"

#include <utility>

#include "http/body.hpp"
#include "http/client_end.hpp"
#include "http/request_life.hpp"
#include "http/respond.hpp"
#include "output/stream.hpp"
#include "sse/notices.hpp"
#include "subscribe/append_notice.hpp"
#include "subscribe/jitter.hpp"
#include "subscribe/stream_head.hpp"
#include "worker/loop_event.hpp"

namespace sse {

namespace {

// The longest time that such a stream lasts, in milliseconds. Over HTTP/2 and HTTP/3 it always lasts that
// long, because what comes just before a stream is reset may never reach a client.
constexpr ngx_msec_t kTime = 1000;

bool isFramed(const ngx_http_request_t& r) noexcept {
    return r.http_version > NGX_HTTP_VERSION_11;
}

} // namespace

// The stream of one such answer. Lives in the pool of its request.
class Later {
public:
    Later(ngx_http_request_t* r, RequestContext& context) noexcept;

    // After the head: sends the first bytes. Returns what a content handler returns.
    ngx_int_t start(ngx_msec_t retry) noexcept;

    void onRequestEnd() noexcept { timer_.cancel(); }

private:
    static Later& of(ngx_http_request_t* r) noexcept { return *contextOf(r)->later; }
    static void onRead(ngx_http_request_t* r) noexcept;
    static void onWrite(ngx_http_request_t* r) noexcept;
    static void onTime(ngx_event_t* event) noexcept;

    ngx_int_t finish() noexcept;

    Stream stream_{};
    LoopEvent timer_;
};

Later::Later(ngx_http_request_t* r, RequestContext& context) noexcept {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    stream_.open(r, core->send_timeout);
    timer_.init(this, onTime, LoopEvent::Kind::Blocking);
    context.later = this;
}

ngx_int_t Later::start(ngx_msec_t retry) noexcept {
    ngx_http_request_t* r = stream_.request();
    BatchRef out;
    const bool hasMemory = appendNotice(
        out, [retry](Buffer& text) noexcept { return addPreamble(text, static_cast<uint32_t>(retry)); });
    if (!hasMemory || !watchClient(r, onRead)) {
        return NGX_ERROR;
    }
    r->write_event_handler = onWrite;
    switch (stream_.send(std::move(out))) {
    case Stream::Status::Failed:
        return NGX_ERROR;
    case Stream::Status::Sent:
        if (!isFramed(*r)) {
            return finish();
        }
        break;
    case Stream::Status::Blocked:
        break;
    }
    timer_.wait(kTime);
    r->main->count++;
    return NGX_DONE;
}

// The same as Subscriber::cut(), but the request ends in order, without the last of its response. So over
// HTTP/1 nginx goes on reading for a while if the client has more to send, and the client does not lose the
// answer.
ngx_int_t Later::finish() noexcept {
    timer_.cancel();
    ngx_http_request_t* r = stream_.request();
    if (mainConfig(r)->cut == CutMode::End) {
        return stream_.finish();
    }
    r->keepalive = 0;
    return NGX_OK;
}

// See Subscriber::onRead().
void Later::onRead(ngx_http_request_t* r) noexcept {
    ngx_connection_t* c = r->connection;
    if (isFramed(*r) ? c->error || c->read->error : !throwAway(r)) {
        c->error = 1;
        of(r).timer_.cancel();
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    }
}

void Later::onWrite(ngx_http_request_t* r) noexcept {
    Later& self = of(r);
    const ngx_connection_t* c = r->connection;
    const bool isOver = c->write->timedout || c->error || c->write->error;
    const Stream::Status status = isOver ? Stream::Status::Failed : self.stream_.flush();
    if (status == Stream::Status::Failed) {
        self.timer_.cancel();
        ngx_http_finalize_request(r, NGX_ERROR);
    } else if (status == Stream::Status::Sent && !isFramed(*r)) {
        ngx_http_finalize_request(r, self.finish());
    }
}

// A client that has not taken even this short answer comes back when it likes.
void Later::onTime(ngx_event_t* event) noexcept {
    Later& self = LoopEvent::owner<Later>(event);
    const bool isBlocked = self.stream_.blocked();
    if (isBlocked) {
        self.stream_.giveUp();
    }
    finalizeFromOutside(self.stream_.request(), isBlocked ? NGX_ERROR : self.finish());
}

ngx_int_t answerLater(ngx_http_request_t* r, RequestContext& context, const LaterTime& later) noexcept {
    context.reason = CloseReason::Rejected;
    if (!setStreamHead(r)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r->method == NGX_HTTP_HEAD) {
        const ngx_int_t rc = ngx_http_discard_request_body(r);
        return rc == NGX_OK ? ngx_http_send_header(r) : rc;
    }
    auto* stream = makeForRequest<Later>(r, r, context);
    if (stream == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    takeOverReading(r);
    // Not with "Connection: close", although the connection will be closed: the fetch of Node takes a chunked
    // response with this header for complete wherever it ends, so a client would take the cut for an end.
    const ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    sendAtOnce(r);
    return stream->start(withJitter(later.time, later.jitter));
}

// A subrequest cannot break off.
ngx_int_t handleLater(ngx_http_request_t* r) noexcept {
    if (r != r->main) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    // nginx-internal: http/ngx_http_core_module.c, http/ngx_http_special_response.c (1.22.1, 1.26.3,
    // 1.30.4, 1.31.4): an error page is sent with this status, unless it is 0.
    r->err_status = 0;
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return refuseMethod(r, "GET, HEAD, OPTIONS");
    }
    RequestContext* context = makeContext(r);
    return context == nullptr ? NGX_HTTP_INTERNAL_SERVER_ERROR
                              : answerLater(r, *context, locationConfig(r)->laterTime);
}

} // namespace sse
