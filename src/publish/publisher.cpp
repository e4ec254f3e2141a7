#include "publish/publisher.hpp"

#include <algorithm>
#include <new>

#include "http/body.hpp"
#include "http/fault_scope.hpp"
#include "http/respond.hpp"
#include "log/assert.hpp"
#include "publish/publish_request.hpp"
#include "sse/json.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// What is taken at a time of what has been read.
constexpr size_t kPiece = 8 * 1024;

// What is taken of a body when something of it has come in, and then in each slice of the worker's work:
// bytes of the body and of what becomes of it together. So no upload keeps others waiting, and a subscriber,
// which gets a whole batch in its slice, does not fall behind.
constexpr size_t kSlice = 16 * 1024;
// What an event takes besides its fields: about an id line.
constexpr size_t kEventCost = 40;

// A pause is so many milliseconds longer than necessary, so that more than one event can be taken after it.
// Nothing is lost by that.
constexpr ngx_msec_t kBreath = 20;

// nginx's clock in nanoseconds, the unit in which the time that an event takes is counted.
constexpr uint64_t kSecond = 1000 * 1000 * 1000;
constexpr uint64_t kMillisecond = kSecond / 1000;

uint64_t clock() noexcept {
    return uint64_t{ngx_current_msec} * kMillisecond;
}

} // namespace

Publisher::Publisher(ngx_http_request_t* r, RequestContext& context) noexcept
    : request_(r), config_(*locationConfig(r)),
      context_(context), channel_{toView(context.channel), config_.zone->log.hash(toView(context.channel))},
      preconditionRefusal_(readPreconditions(*r, preconditions_)),
      intake_(intakeOptions(r, channel_.name, !preconditions_.empty()), intakeOwner()),
      lastChannel_(channel_.name) {
    drainable_.owner = this;
    drainable_.drain = onDrain;
    timer_.init(this, onAllowed);
    rest_.owner = this;
    rest_.run = onTurn;
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

// From here on a draining worker does not ask it to end. The request may live on for long.
void Publisher::unlink() noexcept {
    if (linked_) {
        Worker::self().remove(drainable_, request_);
        linked_ = false;
    }
    timer_.cancel();
    Worker::self().cancel(rest_);
    intake_.discard();
}

void Publisher::onPoolEnd(void* data) noexcept {
    static_cast<Publisher*>(data)->~Publisher();
}

bool Publisher::readHead() noexcept {
    return refuseWith(preconditionRefusal_) && refuseWith(readPublishRequest(request_, intake_)) &&
           refuseWith(readEnd(request_, ends_)) &&
           refuseWith(ends_ && channel_.name.empty() ? Refusal::NoChannel : Refusal::None);
}

// --- Reading ---

ngx_int_t Publisher::run() noexcept {
    Worker::self().add(drainable_);
    linked_ = true;
    draining_ = Worker::self().isDraining();
    if (request_ == request_->main) {
        request_->request_body_no_buffering = 1;
    }
    ngx_int_t rc = ngx_http_read_client_request_body(request_, onBody);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        // nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4): then onBody has not been
        // called, and the reference for it has been given back.
        request_->main->count++;
        bodyError_ = rc;
        readOn();
    }
    return NGX_DONE;
}

// Called when the first part of the body is there, and later every time that more can be read.
void Publisher::onBody(ngx_http_request_t* r) noexcept {
    if (RequestContext* context = contextOf(r); context != nullptr && context->publisher != nullptr) {
        context->publisher->readOn();
    }
}

void Publisher::readOn() noexcept {
    ngx_http_request_t* r = request_;
    slice_ = kSlice;
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
        if (bodyError_ != NGX_OK) {
            end(answerBodyError());
            return;
        }
        if (!r->reading_body || (draining_ && mayStopReading())) {
            finish();
            return;
        }
        ngx_int_t rc = ngx_http_read_unbuffered_request_body(r);
        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            bodyError_ = rc; // after what has been read before the fault
        } else if (rc == NGX_AGAIN && r->request_body->bufs == nullptr) {
            waitForMore();
            return;
        }
    }
}

// Takes what has been read, piece by piece. The buffers are views of one that nginx refills once they are
// used up. What came before a fault is published, whatever else has come with it.
Publisher::Progress Publisher::consume() noexcept {
    Buffer block;
    std::string_view piece;
    BodyPieces::Next next;
    while ((next = pieces_.next(*request_, mostBytes(), block, piece)) == BodyPieces::Next::Piece) {
        if (!refuseWith(intake_.feed(piece))) {
            return Progress::Refused;
        }
        spend(piece.size());
        const bool mustWait = slice_ == 0 || overdrawn() != 0;
        if (mustWait && (request_->reading_body || !pieces_.allTaken())) {
            return Progress::Paused;
        }
    }
    if (next == BodyPieces::Next::Failed) {
        refuseWith(Refusal::BodyUnreadable);
        return Progress::Refused;
    }
    // In a subrequest, after a redirect and in a mirrored request others use the body too, so it stays as it
    // is.
    if (request_->reading_body || !(isForeign(*request_) || request_->preserve_body)) {
        BodyPieces::release(request_);
    }
    return Progress::Done;
}

// nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4): nginx has just set
// client_body_timeout. That is for a client that has begun an event; between two events a stream may be
// silent for longer.
void Publisher::waitForMore() noexcept {
    if (!holdMemory()) {
        endRefused();
        return;
    }
    request_->read_event_handler = onBody;
    ngx_event_t* read = request_->connection->read;
    if (intake_.isStream() && intake_.isBetweenEvents() && read->timer_set) {
        ngx_add_timer(read, config_.publishTimeout);
    }
}

// A body with a length is read on as long as there is time, because its client counts on all of it. One
// without can be continued elsewhere, from the next event on, unless a part of that event or the end of the
// body is already here.
bool Publisher::mayStopReading() noexcept {
    return intake_.isStream() && !hasLength() && request_->reading_body && bodyError_ == NGX_OK &&
           pieces_.allTaken() && intake_.isBetweenEvents();
}

bool Publisher::hasLength() const noexcept {
    return request_->headers_in.content_length_n > 0 && !request_->headers_in.chunked;
}

bool Publisher::holdMemory() noexcept {
    return memory_.hold(*request_->connection, intake_, config_.maxClientMemory) ||
           refuseWith(Refusal::ClientMemory);
}

// --- Into the log ---

Intake::Owner Publisher::intakeOwner() noexcept {
    return {.self = this,
            .take =
                [](void* self, const StagedEvents& events) noexcept {
                    return static_cast<Publisher*>(self)->append(events);
                },
            .fits =
                [](void* self, std::string_view channel, size_t publisherId, size_t fields) noexcept {
                    const Publisher& publisher = *static_cast<Publisher*>(self);
                    const std::string_view name = channel.empty() ? publisher.channel_.name : channel;
                    return publisher.config_.zone->log.fits(name, publisherId, fields);
                },
            .isReserved =
                [](void* self, std::string_view type) noexcept {
                    return isReservedType(static_cast<Publisher*>(self)->request_, type);
                },
            .checkChannel =
                [](void* self, std::string_view channel) noexcept {
                    return static_cast<const Publisher*>(self)->checkChannel(channel);
                }};
}

// Preconditions, and what becomes visible together, concern the channel of the location.
Refusal Publisher::checkChannel(std::string_view name) const noexcept {
    if (name.empty()) {
        return channel_.name.empty() ? Refusal::NoChannel : Refusal::None;
    }
    const Refusal refusal = checkBodyChannel(config_, name);
    const bool isBatch = intake_.isBatch() || !preconditions_.empty();
    return refusal == Refusal::None && isBatch ? Refusal::ChannelsInBatch : refusal;
}

Refusal Publisher::append(const StagedEvents& events) noexcept {
    AppendedEvents appended;
    {
        FaultScope crash(request_);
        appended = appendEvents(*config_.zone, channel_, events,
                                {.reopen = config_.reopen != 0,
                                 .end = ends_ && isWhole_,
                                 .whole = intake_.isBatch(),
                                 .preconditions = preconditions_.empty() ? nullptr : &preconditions_});
    }
    if (appended.count != 0) {
        context_.events += appended.count;
        spend(events.size() + appended.copies * kEventCost);
    }
    pay(appended.copies);
    countRepairs();
    return note(appended);
}

// Remembers for the answer what has become of it. Returns how the client is told; None: it is in the log.
Refusal Publisher::note(const AppendedEvents& appended) noexcept {
    verdict_ = appended.verdict;
    if (appended.count != 0) {
        context_.lastId = appended.lastId;
        lastPublisherId_ = PublisherId(appended.lastPublisherId);
    } else if (verdict_.isRepeated()) {
        context_.lastId = verdict_.id;
        lastPublisherId_ = verdict_.publisherId;
    }
    context_.subscribers = appended.subscribers;
    hasEnded_ = appended.ended;
    if (!appended.lastChannel.empty()) {
        lastChannel_ = ShortText<kMaxChannelName>(appended.lastChannel);
    }
    Worker::self().wake(appended.listeners);
    return refusalOf(appended);
}

void Publisher::spend(size_t bytes) noexcept {
    slice_ -= std::min(slice_, bytes);
}

// What has been repaired since the last time.
void Publisher::countRepairs() noexcept {
    const uint64_t all = intake_.repaired();
    if (all != countedRepairs_) {
        Worker::self().counters().repairs.fetch_add(all - countedRepairs_, std::memory_order_relaxed);
        countedRepairs_ = all;
    }
}

// Counts events against sse_max_rate.
void Publisher::pay(uint64_t events) noexcept {
    if (config_.maxRate != 0) {
        paidUntil_ = std::max(paidUntil_, clock()) + events * kSecond / config_.maxRate;
    }
}

// How long nothing more may be taken, in milliseconds, to keep to sse_max_rate: a request may be a second
// ahead.
ngx_msec_t Publisher::overdrawn() const noexcept {
    const uint64_t most = clock() + kSecond;
    return paidUntil_ > most ? static_cast<ngx_msec_t>((paidUntil_ - most) / kMillisecond + 1) : 0;
}

// How many bytes may be taken at a time. An event has at least one byte, so they contain no more events than
// allowed. Those of a batch are counted when they are published.
size_t Publisher::mostBytes() const noexcept {
    if (config_.maxRate == 0 || !intake_.isStream() || intake_.isBatch()) {
        return kPiece;
    }
    const uint64_t ahead = paidUntil_ > clock() ? paidUntil_ - clock() : 0;
    const uint64_t allowed =
        (kSecond - std::min(ahead, kSecond)) * std::min<uint64_t>(config_.maxRate, kSecond);
    return std::clamp<uint64_t>(allowed / kSecond, 1, kPiece);
}

// The publisher has used up its slice of this turn, or sse_max_rate: nothing more is read until it is due, so
// the client has to wait.
void Publisher::pause() noexcept {
    if (!holdMemory()) {
        endRefused();
        return;
    }
    SSE_ASSERT(linked_ && !timer_.waiting());
    request_->read_event_handler = ngx_http_block_reading;
    stopClock();
    if (const ngx_msec_t wait = overdrawn(); wait != 0) {
        timer_.wait(wait + kBreath);
    } else {
        Worker::self().schedule(rest_);
    }
}

// The client is not late.
void Publisher::stopClock() noexcept {
    ngx_event_t* read = request_->connection->read;
    if (read->timer_set) {
        ngx_del_timer(read);
    }
    read->timedout = 0;
}

void Publisher::onAllowed(ngx_event_t* event) noexcept {
    LoopEvent::owner<Publisher>(event).goOn();
}

void Publisher::onTurn(void* self) noexcept {
    static_cast<Publisher*>(self)->goOn();
}

void Publisher::goOn() noexcept {
    ngx_connection_t* c = request_->connection;
    restartBodyTimeout();
    readOn();
    ngx_http_run_posted_requests(c);
}

// nginx-internal: http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4): what comes during a pause sets
// client_body_timeout (ngx_http_v2_process_request_body), and it is not the client that has paused.
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

// --- The end ---

void Publisher::onDrain(Drainable& drainable, bool force) noexcept {
    Publisher& self = *static_cast<Publisher*>(drainable.owner);
    ngx_connection_t* c = self.request_->connection;
    self.draining_ = true;
    if (self.mayStopReading()) {
        self.finish();
    } else if (force) {
        self.refuseWith(Refusal::BodyCutByDrain);
        self.endRefused();
    } else {
        return;
    }
    ngx_http_run_posted_requests(c);
}

// The body is complete, or its publisher has to continue elsewhere with the rest.
void Publisher::finish() noexcept {
    Refusal refusal = Refusal::None;
    if (!draining_ || !request_->reading_body) {
        isWhole_ = isBodyWhole(*request_);
        refusal = isWhole_ ? finishIntake() : Refusal::BodyNotKept;
    }
    const bool hasEnded = hasEnded_ && lastChannel_.view() == channel_.name;
    if (refusal == Refusal::None && isWhole_ && ends_ && !hasEnded && !verdict_.isRepeated()) {
        refusal = endChannel();
    }
    end(refuseWith(refusal) ? answer() : sendRefusal());
}

// An end without a body is no event. What demands something has to bring something: there must be a record
// that tells of the request later.
Refusal Publisher::finishIntake() noexcept {
    if (ends_ && intake_.isEmptyEvent()) {
        return Refusal::None;
    }
    const Refusal refusal = intake_.finish();
    const bool isEmpty = intake_.accepted() == 0 && !ends_;
    return refusal == Refusal::None && isEmpty && !preconditions_.empty() ? Refusal::NoEvents : refusal;
}

// After a body whose last event is in the log already, or that has none.
Refusal Publisher::endChannel() noexcept {
    const std::optional<AppendedEvents> end = appendEnd(*config_.zone, channel_, preconditions_);
    return end ? note(*end) : Refusal::UnknownChannel;
}

// Every way out. The request may live on, sending the answer, lingering or redirected to another location:
// then neither the rest of the body nor a draining worker matters here, and no memory is needed.
//
// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4): where the client has gone,
// ngx_http_finalize_request() of a subrequest ends its main request at once, and with it other mirrors that
// still publish. NGX_DONE gives back no more than this subrequest's share.
void Publisher::end(ngx_int_t rc) noexcept {
    SSE_ASSERT(linked_);
    unlink();
    memory_.release();
    request_->read_event_handler = ngx_http_block_reading;
    if (request_->background && request_->connection->error) {
        request_->done = 1;
        rc = NGX_DONE;
    }
    ngx_http_finalize_request(request_, rc);
}

// nginx has found a fault in the body. Unless the client has gone, it gets our answer, with the number of
// events taken.
ngx_int_t Publisher::answerBodyError() noexcept {
    ngx_connection_t* c = request_->connection;
    if (c->error) {
        return bodyError_;
    }
    switch (bodyError_) {
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        refuseWith(Refusal::BodyTooLarge);
        break;
    case NGX_HTTP_BAD_REQUEST:
        refuseWith(Refusal::MalformedBody);
        break;
    case NGX_HTTP_REQUEST_TIME_OUT:
        // nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4): or nginx would close without a
        // word.
        c->timedout = c->read->timedout = 0;
        refuseWith(Refusal::BodyPaused);
        break;
    default:
        return bodyError_;
    }
    return sendRefusal();
}

// --- Answering ---

// Whether to go on: nothing is refused. The first reason counts.
bool Publisher::refuseWith(Refusal refusal) noexcept {
    if (refusal_ == Refusal::None) {
        refusal_ = refusal;
    }
    return refusal == Refusal::None;
}

// What was staged before the fault is in the log by now, unless all was to be published or nothing.
ngx_int_t Publisher::sendRefusal() noexcept {
    SSE_ASSERT(refusal_ != Refusal::None);
    RefusalFacts facts = factsOf(verdict_);
    facts.place = intake_.place();
    if (intake_.isStream()) {
        facts.events = context_.events;
    }
    return refuse(request_, refusal_, facts);
}

// {"id":"…","channel":"…","subscribers":n,"events":n}, and "ended":true if the channel has ended with it, or
// "repeated":true if the request has been here before
ngx_int_t Publisher::answer() noexcept {
    Buffer text;
    JsonWriter json(text);
    json.beginObject().key("id");
    writeId(json);
    json.key("channel");
    if (lastChannel_.empty()) {
        json.null();
    } else {
        json.string(lastChannel_.view());
    }
    json.member("subscribers", context_.subscribers).member("events", context_.events);
    if (hasEnded_) {
        json.key("ended").boolean(true);
    }
    if (verdict_.isRepeated()) {
        json.key("repeated").boolean(true);
    }
    json.endObject();
    return respond(request_, context_.events != 0 ? NGX_HTTP_CREATED : NGX_HTTP_OK, json, text);
}

// That of the last event; null if there is none, or if it is not known any more.
void Publisher::writeId(JsonWriter& json) const noexcept {
    const bool isKnown = verdict_.isRepeated() && verdict_.id != EventId{};
    if (context_.events == 0 && !isKnown) {
        json.null();
        return;
    }
    char lastId[kMaxEventIdText];
    ShortText<kMaxEventIdText + 1 + kMaxPublisherId> id({lastId, formatEventId(context_.lastId, lastId)});
    id.append(lastPublisherId_.empty() ? "" : "~");
    id.append(lastPublisherId_.view());
    json.string(id.view());
}

} // namespace sse
