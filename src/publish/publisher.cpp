#include "publish/publisher.hpp"

#include <algorithm>
#include <charconv>
#include <new>
#include <span>

#include "http/body.hpp"
#include "http/request.hpp"
#include "http/respond.hpp"
#include "sse/json.hpp"
#include "sse/token.hpp"
#include "sse/validate.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// A body of this many bytes may hold one event, unless sse_max_events says otherwise: a line feed is enough
// for one, and takes a hundred bytes of the zone.
constexpr off_t kBytesForEvent = 16;

// A pause is so many milliseconds longer than it must be, so that after it there is more than one event to
// take. Nothing is lost by that.
constexpr ngx_msec_t kBreath = 20;

// "text/event-stream; charset=utf-8" is a text/event-stream.
bool isType(const ngx_http_request_t& r, std::string_view wanted) noexcept {
    return equalTokens(mediaType(firstHeader(r, "content-type")), wanted);
}

Framing framingOf(const ngx_http_request_t& r, const LocationConfig& config) noexcept {
    const Framing framing = config.framingMode();
    bool asSent = &r == r.main && !r.internal;
    if (framing != Framing::ContentType && !(framing == Framing::Auto && asSent)) {
        return framing == Framing::Auto ? Framing::Event : framing;
    }
    return isType(r, "text/event-stream")      ? Framing::Sse
           : isType(r, "application/x-ndjson") ? Framing::Ndjson
                                               : Framing::Event;
}

// A log is a log, also with bytes in it that are no text.
bool repairs(const LocationConfig& config, Framing framing) noexcept {
    const InvalidUtf8 mode = config.invalidUtf8Mode();
    return mode == InvalidUtf8::Auto ? framing == Framing::Lines : mode == InvalidUtf8::Replace;
}

ParserOptions parserOptions(const LocationConfig& config) noexcept {
    return {.ignoreIds = config.bodyIdMode() == BodyIds::Ignore, .repair = repairs(config, Framing::Sse)};
}

uint64_t maxEventsOf(ngx_http_request_t* r, const LocationConfig& config) noexcept {
    if (config.maxEvents != NGX_CONF_UNSET_UINT) {
        return config.maxEvents;
    }
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    return static_cast<uint64_t>((core->client_max_body_size + kBytesForEvent - 1) / kBytesForEvent);
}

bool isIn(const ngx_array_t* names, std::string_view wanted) noexcept {
    if (names == nullptr) {
        return false;
    }
    std::span<ngx_str_t> all(static_cast<ngx_str_t*>(names->elts), names->nelts);
    return std::any_of(all.begin(), all.end(),
                       [wanted](const ngx_str_t& name) { return view(name) == wanted; });
}

// Write where there is room, and return where it goes on.
char* put(char* place, std::string_view text) noexcept {
    return std::copy(text.begin(), text.end(), place);
}

} // namespace

Publisher::Publisher(ngx_http_request_t* r, RequestContext& context) noexcept
    : request_(r), config_(*locationConfig(r)), context_(context), channel_(view(context.channel)),
      hash_(config_.zone->log.hash(channel_)), framing_(framingOf(*r, config_)), lines_(config_.maxEventSize),
      parser_(config_.maxEventSize, parserOptions(config_)), repairs_(repairs(config_, framing_)),
      maxEvents_(maxEventsOf(r, config_)) {
    drainable_.owner = this;
    drainable_.drain = onDrain;
    timer_.init(this, onAllowed);
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

// From here on a worker that leaves has nothing to ask of it. The request may live on for long.
void Publisher::unlink() noexcept {
    if (linked_) {
        Worker::self().remove(drainable_, request_);
        linked_ = false;
    }
    timer_.cancel();
    for (Buffer* buffer : {&body_, &staged_, &lastOwnId_}) {
        buffer->reset();
    }
}

void Publisher::onPoolEnd(void* data) noexcept {
    static_cast<Publisher*>(data)->~Publisher();
}

// --- The head ---

bool Publisher::readHead() noexcept {
    return readType() && readId() && readRetry() && checkBody();
}

// A type that the configuration names is what it wants; one that comes from outside must not be taken for one
// of the module's own events.
bool Publisher::readType() noexcept {
    const ngx_http_complex_value_t* expression = config_.eventType;
    bool read = expression != nullptr ? evaluateDecoded(request_, config_.eventType, defaults_.type)
                                      : isForeign() || firstArgument(request_, "event", defaults_.type);
    if (!read) {
        return refuseWith(Refusal::NoMemory);
    }
    if (defaults_.type.empty()) {
        return true;
    }
    if (!isEventType(defaults_.type)) {
        return refuseWith(Refusal::BadType);
    }
    bool isFixed = expression != nullptr && expression->lengths == nullptr;
    return isFixed || mayHaveType(defaults_.type);
}

bool Publisher::mayHaveType(std::string_view type) noexcept {
    return !isIn(&mainConfig(request_)->ownTypes, type) || config_.allowsAllTypes ||
           isIn(config_.allowedTypes, type) || refuseWith(Refusal::ReservedType);
}

bool Publisher::readId() noexcept {
    if (config_.eventId != nullptr && !evaluateDecoded(request_, config_.eventId, defaults_.ownId)) {
        return refuseWith(Refusal::NoMemory);
    }
    if (defaults_.ownId.empty()) {
        return true;
    }
    if (!isPublisherId(defaults_.ownId)) {
        return refuseWith(Refusal::BadPublisherId);
    }
    return !isStream() || refuseWith(Refusal::PublisherIdForMany);
}

bool Publisher::readRetry() noexcept {
    std::string_view retry;
    bool read = config_.eventRetry != nullptr ? evaluateDecoded(request_, config_.eventRetry, retry)
                                              : isForeign() || firstArgument(request_, "retry", retry);
    if (!read) {
        return refuseWith(Refusal::NoMemory);
    }
    if (retry.empty()) {
        return true;
    }
    std::optional<uint32_t> milliseconds = parseRetry(retry);
    defaults_.retryMilliseconds = milliseconds.value_or(0);
    return milliseconds.has_value() || refuseWith(Refusal::BadRetry);
}

// The text of a body that has been passed on to us is what it is, whatever its sender calls it.
bool Publisher::checkBody() noexcept {
    if (!isForeign() && isEncoded(*request_)) {
        return refuseWith(Refusal::EncodedBody);
    }
    if (!isForeign() && isType(*request_, "multipart/form-data")) {
        return refuseWith(Refusal::MultipartBody);
    }
    if (!isBodyToCome(*request_) && !isBodyKept(*request_)) {
        return refuseWith(Refusal::BodyNotKept);
    }
    auto most = static_cast<off_t>(config_.maxEventSize + kByteOrderMark.size());
    return isStream() || request_->headers_in.content_length_n <= most || refuseWith(Refusal::EventTooLarge);
}

// --- Reading ---

ngx_int_t Publisher::run() noexcept {
    Worker::self().add(drainable_);
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
        Progress progress = consume();
        if (progress == Progress::Refused) {
            endRefused();
            return;
        }
        if (progress == Progress::Paused) {
            pause();
            return;
        }
        if (!r->reading_body || (leaving_ && mayStopReading())) {
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

// nginx has just set client_body_timeout, which is for a client that has begun an event. Between two of them
// a stream may be silent for longer.
void Publisher::waitForMore() noexcept {
    if (!holdMemory()) {
        endRefused();
        return;
    }
    request_->read_event_handler = onBody;
    ngx_event_t* read = request_->connection->read;
    if (isStream() && betweenEvents() && read->timer_set) {
        ngx_add_timer(read, config_.publishTimeout);
    }
}

// The publisher has used up sse_max_rate: nothing more is read until it is due, so the client has to wait.
void Publisher::pause() noexcept {
    if (!holdMemory()) {
        endRefused();
        return;
    }
    request_->read_event_handler = ngx_http_block_reading;
    stopClock();
    timer_.wait(overdrawn() + kBreath);
}

// It is not the client that is late. Over HTTP/2 and 3 nginx sets the timer anew for what comes during a
// pause.
void Publisher::stopClock() noexcept {
    ngx_event_t* read = request_->connection->read;
    if (read->timer_set) {
        ngx_del_timer(read);
    }
    read->timedout = 0;
}

void Publisher::onAllowed(ngx_event_t* event) noexcept {
    auto& self = LoopEvent::owner<Publisher>(event);
    ngx_connection_t* c = self.request_->connection;
    self.restartBodyTimeout();
    self.readOn();
    ngx_http_run_posted_requests(c);
}

// nginx-internal: over HTTP/2 what comes during a pause sets client_body_timeout
// (ngx_http_v2_process_request_body), and it is not the client that has paused.
void Publisher::restartBodyTimeout() noexcept {
    ngx_event_t* read = request_->connection->read;
    if (request_ != request_->main || !(read->timer_set || read->timedout)) {
        return;
    }
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(request_, ngx_http_core_module));
    read->timedout = 0;
    ngx_add_timer(read, core->client_body_timeout);
}

// Gives back what is empty, and has the rest counted against the client.
bool Publisher::holdMemory() noexcept {
    body_.release();
    lines_.release();
    parser_.release();
    staged_.reset(); // all of it is in the log
    size_t held = body_.held() + lines_.held() + parser_.held();
    return memory_.hold(*request_->connection, held, config_.maxClientMemory) ||
           refuseWith(Refusal::ClientMemory);
}

// The body is complete, or its publisher has to go elsewhere with the rest.
void Publisher::finish() noexcept {
    bool complete = leaving_ && request_->reading_body ? commit() : consumeEnd();
    end(complete ? answer() : sendRefusal());
}

// Every way out. The request may live on, sending the answer, lingering or redirected to another location:
// then neither what is left of the body nor a worker that leaves is our business any more, and no memory is
// needed.
void Publisher::end(ngx_int_t rc) noexcept {
    unlink();
    body_.reset();
    lines_.discard();
    parser_.discard();
    staged_.reset();
    (void)memory_.hold(*request_->connection, 0, 0);
    request_->read_event_handler = ngx_http_block_reading;
    ngx_http_finalize_request(request_, rc);
}

// nginx has found the body at fault. Unless the client has gone it is told so in our way, and how many of its
// events were taken.
ngx_int_t Publisher::bodyError(ngx_int_t rc) noexcept {
    ngx_connection_t* c = request_->connection;
    if (c->error) {
        return rc;
    }
    switch (rc) {
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        refuseWith(Refusal::BodyTooLarge);
        break;
    case NGX_HTTP_BAD_REQUEST:
        refuseWith(Refusal::MalformedBody);
        break;
    case NGX_HTTP_REQUEST_TIME_OUT:
        c->timedout = c->read->timedout = 0; // or nginx would close without a word
        refuseWith(Refusal::BodyPaused);
        break;
    default:
        return rc;
    }
    return sendRefusal();
}

// A body with a length is read on for as long as there is time, for its client counts on all of it. One
// without can be continued elsewhere, from the next event on, unless some of it or its end is here already.
bool Publisher::mayStopReading() noexcept {
    return isStream() && !hasLength() && request_->reading_body && allTaken() && betweenEvents();
}

bool Publisher::hasLength() const noexcept {
    return request_->headers_in.content_length_n > 0 && !request_->headers_in.chunked;
}

void Publisher::onDrain(Drainable& drainable, bool force) noexcept {
    Publisher& self = *static_cast<Publisher*>(drainable.owner);
    ngx_connection_t* c = self.request_->connection;
    self.leaving_ = true;
    if (self.timer_.waiting()) {
        self.timer_.cancel();
        self.readOn(); // nothing is paced any more
    } else if (self.mayStopReading()) {
        self.finish();
    } else if (force) {
        self.refuseWith(Refusal::BodyCutByDrain);
        self.endRefused();
    } else {
        return;
    }
    ngx_http_run_posted_requests(c);
}

// --- Answering ---

// Always false: do not go on. The first reason counts.
bool Publisher::refuseWith(Refusal refusal) noexcept {
    if (refusal_ == Refusal::None) {
        refusal_ = refusal;
    }
    return false;
}

// What has been staged before the fault is in the log by now.
ngx_int_t Publisher::sendRefusal() noexcept {
    return isStream() ? refuse(request_, refusal_, context_.events) : refuse(request_, refusal_);
}

// {"id":"…","channel":"…","subscribers":n,"events":n}
ngx_int_t Publisher::answer() noexcept {
    Buffer text;
    JsonWriter json(text);
    json.beginObject().key("id");
    if (context_.events == 0) {
        json.null();
    } else {
        char id[kMaxEventIdText + 1 + kMaxPublisherId];
        char* end = id + formatEventId(context_.lastId, id);
        end = put(put(end, lastOwnId_.empty() ? "" : "~"), lastOwnId_.view());
        json.string({id, static_cast<size_t>(end - id)});
    }
    json.member("channel", channel_)
        .member("subscribers", context_.subscribers)
        .member("events", context_.events)
        .endObject();
    return respond(request_, context_.events != 0 ? NGX_HTTP_CREATED : NGX_HTTP_OK, json, text);
}

} // namespace sse
