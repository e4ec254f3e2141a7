// sse_channel: the content handler of a subscribing location.
#include "subscribe/handler.hpp"

#include "conf/config.hpp"
#include "http/body.hpp"
#include "http/client_end.hpp"
#include "http/fault_scope.hpp"
#include "http/request_context.hpp"
#include "http/request_life.hpp"
#include "http/respond.hpp"
#include "subscribe/poller.hpp"
#include "subscribe/stream_head.hpp"
#include "subscribe/subscribe_request.hpp"
#include "subscribe/subscriber.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// Whether the response is a stream depends on Accept.
bool setHeaders(ngx_http_request_t* r, const Subscriber& subscriber) noexcept {
    if (!setStreamHead(r) || (locationConfig(r)->poll != 0 && !addHeader(r, "Vary", "Accept"))) {
        return false;
    }
    EventId start;
    if (!subscriber.startPosition(start)) {
        return true;
    }
    auto* text = static_cast<char*>(ngx_pnalloc(r->pool, kMaxEventIdText));
    return text != nullptr && addHeader(r, "Last-Event-ID", {text, formatEventId(start, text)});
}

// NGX_OK: the header is sent, and the stream may begin.
ngx_int_t sendHeaders(ngx_http_request_t* r, const Subscriber& subscriber) noexcept {
    if (!setHeaders(r, subscriber)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }
    return !r->header_only && watchClient(r, Subscriber::onRead) ? NGX_OK : NGX_ERROR;
}

ngx_int_t fail(ngx_http_request_t* r) noexcept {
    countRefusal(r, RefusalGroup::Error);
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t poll(ngx_http_request_t* r, RequestContext& context, Tail& tail,
               const Subscription& subscription) noexcept {
    auto* poller = makeForRequest<Poller>(r, r, context);
    if (poller == nullptr) {
        return fail(r);
    }
    FaultScope crash(r);
    const Refusal refusal = poller->arrive(subscription);
    return refusal == Refusal::None ? poller->run(tail, subscription) : refuseAtDoor(r, context, refusal);
}

// The answer to a GET, without the stream. The subscriber has left before its client can come again.
ngx_int_t answerHead(ngx_http_request_t* r, Subscriber& subscriber) noexcept {
    const bool isSet = setHeaders(r, subscriber);
    subscriber.abandon(CloseReason::None);
    if (!isSet) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const ngx_int_t rc = ngx_http_discard_request_body(r);
    return rc == NGX_OK ? ngx_http_send_header(r) : rc;
}

ngx_int_t stream(ngx_http_request_t* r, Subscriber& subscriber) noexcept {
    takeOverReading(r);
    ngx_int_t rc = sendHeaders(r, subscriber);
    if (rc != NGX_OK) {
        subscriber.abandon(CloseReason::Error);
        return rc;
    }
    sendAtOnce(r);
    if (!subscriber.start()) {
        return subscriber.conclude();
    }
    r->main->count++;
    return NGX_DONE;
}

} // namespace

ngx_int_t handleSubscribe(ngx_http_request_t* r) noexcept {
    if (r != r->main) {
        static time_t second = 0;
        if (isFirstOfSecond(second)) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "sse: a subrequest cannot be a stream");
        }
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        if (r->method != NGX_HTTP_OPTIONS) {
            countRefusal(r, groupOf(Refusal::MethodNotAllowed));
        }
        return refuseMethod(r, "GET, HEAD, OPTIONS");
    }
    SubscribeRequest request;
    const bool isRead = request.read(r);
    RequestContext* context = makeContext(r);
    if (context == nullptr) {
        return fail(r);
    }
    if (!isRead) {
        return request.sendRefusal(r, *context);
    }
    context->channel = request.joinedNames(r->pool);
    context->isPoll = request.subscription().isPoll;
    if (!Worker::self().mayListen()) {
        return refuseAdmission(r, *context, Admission::Locked);
    }
    Tail* tail = Worker::self().tail(*locationConfig(r)->zone);
    if (tail == nullptr) {
        return fail(r);
    }
    if (context->isPoll) {
        return poll(r, *context, *tail, request.subscription());
    }
    Subscriber* subscriber = Subscriber::make(r, *context);
    if (subscriber == nullptr) {
        return fail(r);
    }
    FaultScope crash(r);
    const Refusal refusal = subscriber->arrive(request.subscription());
    if (refusal != Refusal::None) {
        return refuseAtDoor(r, *context, refusal);
    }
    Admission admission = subscriber->admit(*tail, request.subscription());
    if (admission != Admission::Ok) {
        return refuseAdmission(r, *context, admission);
    }
    return r->method == NGX_HTTP_HEAD ? answerHead(r, *subscriber) : stream(r, *subscriber);
}

} // namespace sse
