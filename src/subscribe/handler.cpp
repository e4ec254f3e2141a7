// sse_channel: the content handler of a subscribing location.
#include "subscribe/handler.hpp"

#include <utility>

#include "conf/config.hpp"
#include "http/body.hpp"
#include "http/client_end.hpp"
#include "http/fault_scope.hpp"
#include "http/request_context.hpp"
#include "http/respond.hpp"
#include "subscribe/poller.hpp"
#include "subscribe/subscribe_request.hpp"
#include "subscribe/subscriber.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// A header that nginx's filters check and that is never sent: what has an encoding already is neither recoded
// by "charset" nor compressed (which would cost a quarter of a megabyte for each subscriber).
//
// nginx-internal: http/modules/ngx_http_charset_filter_module.c, http/modules/ngx_http_gzip_filter_module.c
// (1.22.1, 1.26.3, 1.30.4): both ask for headers_out.content_encoding; sent are the headers in the list
// alone.
ngx_table_elt_t* identityEncoding() noexcept {
    static ngx_table_elt_t header{};
    header.value = ngxString("identity");
    return &header;
}

// The module sets the type, whatever "charset", "types" and "default_type" say.
bool setHeaders(ngx_http_request_t* r, const Subscriber& subscriber) noexcept {
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = ngxString("text/event-stream");
    r->headers_out.charset = ngxString("utf-8");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = nullptr;
    r->headers_out.content_encoding = identityEncoding();
    // nginx-internal: http/modules/ngx_http_not_modified_filter_module.c (1.22.1, 1.26.3, 1.30.4): a stream
    // has no version that a condition could ask for.
    r->disable_not_modified = 1;
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    if (!addHeader(r, "Cache-Control", "no-store, no-cache, no-transform") ||
        !addHeader(r, "X-Accel-Buffering", "no") ||
        (locationConfig(r)->poll != 0 && !addHeader(r, "Vary", "Accept"))) {
        return false;
    }
    EventId start;
    if (!subscriber.startPosition(start)) {
        return true;
    }
    auto* text = static_cast<char*>(ngx_pnalloc(r->pool, kMaxEventIdText));
    return text != nullptr && addHeader(r, "Last-Event-ID", {text, formatEventId(start, text)});
}

// nginx-internal: http/ngx_http_request.c, http/ngx_http_upstream.c (1.22.1, 1.26.3, 1.30.4): nginx does so
// for connections that are kept alive, upgraded, or proxied without buffers, but not for a plain response. A
// stream of HTTP/2 or 3 has no socket of its own.
void sendAtOnce(ngx_http_request_t* r) noexcept {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    if (r->http_version <= NGX_HTTP_VERSION_11 && core->tcp_nodelay) {
        (void)ngx_tcp_nodelay(r->connection);
    }
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

ngx_int_t poll(ngx_http_request_t* r, RequestContext& context, Tail& tail,
               const Subscription& subscription) noexcept {
    Poller* poller = Poller::make(r, context);
    if (poller == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    FaultScope crash(r);
    return poller->run(tail, subscription);
}

// The answer to a GET, without the stream.
ngx_int_t answerHead(ngx_http_request_t* r, Subscriber& subscriber) noexcept {
    ngx_int_t rc =
        setHeaders(r, subscriber) ? ngx_http_discard_request_body(r) : NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (rc == NGX_OK) {
        rc = ngx_http_send_header(r);
    }
    subscriber.abandon(CloseReason::None);
    return rc;
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
        static time_t second = 0; // clients decide how often this happens: one line a second at most
        if (std::exchange(second, ngx_time()) != ngx_time()) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "sse: a subrequest cannot be a stream");
        }
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return refuseMethod(r, "GET, HEAD, OPTIONS");
    }
    SubscriptionReader reader;
    if (!reader.read(r)) {
        return reader.sendRefusal(r);
    }
    RequestContext* context = makeContext(r);
    if (context == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    context->channel = reader.joinedNames(r->pool);
    if (!Worker::self().mayListen()) {
        return refuse(r, Refusal::Locked);
    }
    Tail* tail = Worker::self().tail(*locationConfig(r)->zone);
    if (tail == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (reader.subscription().isPoll) {
        return poll(r, *context, *tail, reader.subscription());
    }
    Subscriber* subscriber = Subscriber::make(r, *context);
    if (subscriber == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    FaultScope crash(r);
    Admission admission = subscriber->admit(*tail, reader.subscription());
    if (admission != Admission::Ok) {
        return refuseAdmission(r, admission);
    }
    return r->method == NGX_HTTP_HEAD ? answerHead(r, *subscriber) : stream(r, *subscriber);
}

} // namespace sse
