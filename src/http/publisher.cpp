#include "http/publisher.hpp"

#include <algorithm>
#include <charconv>
#include <new>

#include "http/respond.hpp"
#include "sse/json.hpp"
#include "sse/validate.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// "text/event-stream; charset=utf-8" is a text/event-stream.
bool isType(ngx_http_request_t* r, std::string_view wanted) noexcept {
    if (r->headers_in.content_type == nullptr) {
        return false;
    }
    std::string_view type = view(r->headers_in.content_type->value);
    type = type.substr(0, type.find(';'));
    while (type.ends_with(' ')) {
        type.remove_suffix(1);
    }
    return type.size() == wanted.size() &&
           ngx_strncasecmp(ngxString(type).data, ngxString(wanted).data, wanted.size()) == 0;
}

Framing framingOf(ngx_http_request_t* r, const LocationConfig& config) noexcept {
    auto framing = static_cast<Framing>(config.framing);
    if (framing != Framing::Auto) {
        return framing;
    }
    return isType(r, "text/event-stream")      ? Framing::Sse
           : isType(r, "application/x-ndjson") ? Framing::Ndjson
                                               : Framing::Event;
}

// What an expression says of an event, or without one an argument of the query.
bool readField(ngx_http_request_t* r, ngx_http_complex_value_t* expression, std::string_view argument,
               std::string_view& value) noexcept {
    if (expression != nullptr) {
        return evaluateDecoded(r, expression, value);
    }
    return argument.empty() || lastArgument(r, argument, value);
}

// Write where there is room, and return where it goes on.
char* put(char* place, std::string_view text) noexcept {
    return std::copy(text.begin(), text.end(), place);
}

char* putNumber(char* place, uint64_t number) noexcept {
    return std::to_chars(place, place + NGX_INT64_LEN, number).ptr;
}

} // namespace

Publisher::Publisher(ngx_http_request_t* r, RequestContext& context) noexcept
    : request_(r), config_(*locationConfig(r)), context_(context), channel_(view(context.channel)),
      hash_(config_.zone->log.hash(channel_)), framing_(framingOf(r, config_)), lines_(config_.maxEventSize),
      parser_(config_.maxEventSize) {
    leaver_.owner = this;
    leaver_.leave = onLeave;
}

Publisher* Publisher::make(ngx_http_request_t* r, RequestContext& context) noexcept {
    ngx_http_cleanup_t* requestEnd = ngx_http_cleanup_add(r, 0);
    ngx_pool_cleanup_t* poolEnd = ngx_pool_cleanup_add(r->pool, 0);
    void* memory =
        requestEnd == nullptr || poolEnd == nullptr ? nullptr : ngx_palloc(r->pool, sizeof(Publisher));
    if (memory == nullptr) {
        return nullptr;
    }
    auto* publisher = new (memory) Publisher(r, context);
    context.publisher = publisher;
    requestEnd->handler = onRequestEnd;
    requestEnd->data = publisher;
    poolEnd->handler = onPoolEnd;
    poolEnd->data = publisher;
    return publisher;
}

void Publisher::onRequestEnd(void* data) noexcept {
    static_cast<Publisher*>(data)->unlink();
}

// From here on a worker that leaves has nothing to ask of it.
void Publisher::unlink() noexcept {
    if (linked_) {
        Worker::self().remove(leaver_, request_);
        linked_ = false;
    }
}

void Publisher::onPoolEnd(void* data) noexcept {
    static_cast<Publisher*>(data)->~Publisher();
}

bool Publisher::readFields() noexcept {
    std::string_view retry;
    if (!readField(request_, config_.eventType, "event", defaults_.type) ||
        !readField(request_, config_.eventId, {}, defaults_.ownId) ||
        !readField(request_, config_.eventRetry, "retry", retry)) {
        return refuseWith(NGX_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    }
    if (!defaults_.type.empty() && !isEventType(defaults_.type)) {
        return refuseWith(NGX_HTTP_BAD_REQUEST, "invalid event type");
    }
    if (!defaults_.ownId.empty() && !isOwnId(defaults_.ownId)) {
        return refuseWith(NGX_HTTP_BAD_REQUEST, "invalid event id");
    }
    if (!defaults_.ownId.empty() && isStream()) {
        return refuseWith(NGX_HTTP_BAD_REQUEST, "one event id for a body of many events");
    }
    if (!retry.empty()) {
        std::optional<uint32_t> milliseconds = parseRetry(retry);
        if (!milliseconds) {
            return refuseWith(NGX_HTTP_BAD_REQUEST, "invalid retry");
        }
        defaults_.retryMilliseconds = *milliseconds;
    }
    if (isBodyGone()) {
        return refuseWith(NGX_HTTP_BAD_REQUEST, "the body of the request has not been kept");
    }
    size_t largest = config_.maxEventSize + kByteOrderMark.size();
    if (!isStream() && request_->headers_in.content_length_n > static_cast<off_t>(largest)) {
        return refuseWith(NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "the event is too large");
    }
    return true;
}

// --- Reading ---

// A subrequest has the body of its parent, which may not have read it; after a redirect somebody else may
// have passed it on without keeping it.
bool Publisher::isBodyGone() const noexcept {
    const ngx_http_request_body_t* body = request_->request_body;
    if (!isForeign() || request_->headers_in.content_length_n <= 0) {
        return false;
    }
    return body != nullptr ? body->bufs == nullptr : request_ != request_->main;
}

ngx_int_t Publisher::run() noexcept {
    Worker::self().add(leaver_);
    linked_ = true;
    leaving_ = Worker::self().leaving();
    if (request_ == request_->main) {
        request_->request_body_no_buffering = 1;
    }
    ngx_int_t rc = ngx_http_read_client_request_body(request_, onBody);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        unlink();
        return bodyError(rc);
    }
    return NGX_DONE;
}

// The first part of the body is there, and later every time that more can be read.
void Publisher::onBody(ngx_http_request_t* r) noexcept {
    if (RequestContext* context = contextOf(r); context != nullptr && context->publisher != nullptr) {
        context->publisher->readOn();
    }
}

void Publisher::readOn() noexcept {
    ngx_http_request_t* r = request_;
    for (;;) {
        if (!consume()) {
            end(sendRefusal());
            return;
        }
        if (!r->reading_body || (leaving_ && isStream() && betweenEvents())) {
            finish();
            return;
        }
        ngx_int_t rc = ngx_http_read_unbuffered_request_body(r);
        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            end(bodyError(rc));
            return;
        }
        if (rc == NGX_AGAIN && r->request_body->bufs == nullptr) {
            waitForMore();
            return;
        }
    }
}

// A stream of events may be silent for longer than client_body_timeout, which nginx has just set.
void Publisher::waitForMore() noexcept {
    request_->read_event_handler = onBody;
    ngx_event_t* read = request_->connection->read;
    if (isStream() && read->timer_set) {
        ngx_add_timer(read, config_.publishTimeout);
    }
}

// The body is complete, or its publisher has to go elsewhere with the rest.
void Publisher::finish() noexcept {
    bool complete = leaving_ && request_->reading_body ? commit() : consumeEnd();
    end(complete ? answer() : sendRefusal());
}

// Every way out. The request may live on, sending the answer or redirected to another location: then neither
// what is left of the body nor a worker that leaves is our business any more.
void Publisher::end(ngx_int_t rc) noexcept {
    unlink();
    request_->read_event_handler = ngx_http_block_reading;
    ngx_http_finalize_request(request_, rc);
}

// nginx has found the body at fault. Unless the client has gone it is told so in our way.
ngx_int_t Publisher::bodyError(ngx_int_t rc) noexcept {
    if (request_->connection->error) {
        return rc;
    }
    if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        refuseWith(NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "the body is larger than client_max_body_size");
    } else if (rc == NGX_HTTP_BAD_REQUEST) {
        refuseWith(NGX_HTTP_BAD_REQUEST, "the body of the request is malformed");
    } else {
        return rc;
    }
    return sendRefusal();
}

void Publisher::onLeave(Leaver& leaver, bool force) noexcept {
    Publisher& self = *static_cast<Publisher*>(leaver.owner);
    ngx_http_request_t* r = self.request_;
    ngx_connection_t* c = r->connection;
    self.leaving_ = true;
    if (!force && (!self.isStream() || !self.betweenEvents())) {
        return;
    }
    if (self.isStream()) {
        self.finish();
    } else {
        self.end(NGX_HTTP_SERVICE_UNAVAILABLE);
    }
    ngx_http_run_posted_requests(c);
}

// --- Answering ---

// Always false: do not go on.
bool Publisher::refuseWith(ngx_uint_t status, std::string_view reason) noexcept {
    refusedStatus_ = status;
    refusedReason_ = reason;
    return false;
}

ngx_int_t Publisher::sendRefusal() noexcept {
    if (!isStream()) {
        return refuse(request_, refusedStatus_, refusedReason_);
    }
    ngx_str_t reason = ngxString(refusedReason_);
    ngx_log_error(NGX_LOG_INFO, request_->connection->log, 0, "sse: refused with %ui after %uL events: %V",
                  refusedStatus_, context_.events, &reason);
    size_t room = reason.len + sizeof("{\"error\":\"\",\"events\":}\n") + NGX_INT64_LEN;
    auto* text = static_cast<u_char*>(ngx_pnalloc(request_->pool, room));
    if (text == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    u_char* end =
        ngx_slprintf(text, text + room, "{\"error\":\"%V\",\"events\":%uL}\n", &reason, context_.events);
    return respond(request_, refusedStatus_,
                   {reinterpret_cast<char*>(text), static_cast<size_t>(end - text)});
}

// {"id":"…","channel":"…","subscribers":n,"events":n}
ngx_int_t Publisher::answer() noexcept {
    constexpr size_t kFixed = sizeof("{\"id\":\"~\",\"channel\":,\"subscribers\":,\"events\":}\n");
    size_t room = kFixed + kMaxEventIdText + lastOwnId_.size() + jsonSize(channel_) + 2 * NGX_INT64_LEN;
    auto* text = static_cast<char*>(ngx_pnalloc(request_->pool, room));
    if (text == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    char* p = put(text, "{\"id\":");
    if (context_.events == 0) {
        p = put(p, "null");
    } else {
        p = put(p, "\"");
        p += formatEventId(context_.lastId, p);
        p = put(put(p, lastOwnId_.empty() ? "" : "~"), lastOwnId_.view());
        p = put(p, "\"");
    }
    p = writeJson(channel_, put(p, ",\"channel\":"));
    p = putNumber(put(p, ",\"subscribers\":"), context_.subscribers);
    p = putNumber(put(p, ",\"events\":"), context_.events);
    p = put(p, "}\n");
    ngx_uint_t status = context_.events != 0 ? NGX_HTTP_CREATED : NGX_HTTP_OK;
    return respond(request_, status, {text, static_cast<size_t>(p - text)});
}

} // namespace sse
