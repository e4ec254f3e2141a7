#include "publish/publisher.hpp"

#include <algorithm>
#include <utility>

#include "http/body.hpp"
#include "http/fault_scope.hpp"
#include "http/respond.hpp"
#include "log/assert.hpp"
#include "publish/precondition_headers.hpp"
#include "publish/publish_request.hpp"
#include "sse/json.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// A pause is this many milliseconds longer than necessary, so more than one event can be taken after it.
// Nothing is lost by that.
constexpr ngx_msec_t kBreath = 20;

} // namespace

Publisher::Publisher(ngx_http_request_t* r, RequestContext& context) noexcept
    : request_(r), config_(*locationConfig(r)), channel_{toView(context.channel),
                                                         config_.zone->log.hash(toView(context.channel))},
      preconditionRefusal_(readPreconditions(*r, preconditions_)),
      intake_(intakeOptions(r, channel_.name, !preconditions_.empty()), intakeOwner()),
      pace_(config_.maxRate), bus_(*config_.zone, r->pool, this, onProgress),
      outcome_(context, channel_.name) {
    drainable_.owner = this;
    drainable_.drain = onDrain;
    timer_.init(this, onAllowed);
    rest_.owner = this;
    rest_.run = onTurn;
    context.publisher = this;
}

// From here on a draining worker does not ask the publisher to end. The request may live on for a long time.
void Publisher::unlink() noexcept {
    if (isLinked_) {
        Worker::self().remove(drainable_, request_);
        isLinked_ = false;
    }
    timer_.cancel();
    Worker::self().cancel(rest_);
    bus_.leave(outcome_);
    intake_.discard();
    note(PublishOutcome::Aborted);
}

// Counts the outcome the first time that it is known.
void Publisher::note(PublishOutcome outcome) noexcept {
    if (!std::exchange(isNoted_, true)) {
        config_.zone->counters->publishRequests[at(outcome)].add();
    }
}

bool Publisher::readHead() noexcept {
    return refuseWith(preconditionRefusal_) && refuseWith(readPublishRequest(request_, intake_)) &&
           refuseWith(readEnd(request_, ends_)) && refuseWith(bus_.check(preconditions_)) &&
           refuseWith(ends_ && channel_.name.empty() ? Refusal::NoChannel : Refusal::None);
}

// --- Reading ---

ngx_int_t Publisher::run() noexcept {
    Worker::self().add(drainable_);
    isLinked_ = true;
    isDraining_ = Worker::self().isDraining();
    if (request_ == request_->main) {
        request_->request_body_no_buffering = 1;
    }
    ngx_int_t rc = ngx_http_read_client_request_body(request_, onBody);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        // nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): then onBody has not
        // been called, and the reference for it has been given back.
        request_->main->count++;
        bodyError_ = rc;
        readOn();
    }
    return NGX_DONE;
}

// Called when the first part of the body is there, and later each time that more can be read.
void Publisher::onBody(ngx_http_request_t* r) noexcept {
    if (RequestContext* context = contextOf(r); context != nullptr && context->publisher != nullptr) {
        context->publisher->readOn();
    }
}

void Publisher::readOn() noexcept {
    ngx_http_request_t* r = request_;
    pace_.beginSlice();
    for (;;) {
        Progress progress = consume();
        if (progress == Progress::Refused) {
            conclude();
            return;
        }
        if (progress == Progress::Paused) {
            pause();
            return;
        }
        if (bodyError_ != NGX_OK) {
            concludeBodyError();
            return;
        }
        if (!r->reading_body || (isDraining_ && mayStopReading())) {
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
    if (!bus_.hasRoom()) {
        return Progress::Paused;
    }
    // Where each byte may be an event, no more is taken than sse_max_rate allows.
    const bool isPaidAhead = intake_.isStream() && !intake_.isBatch();
    Buffer block;
    std::string_view piece;
    BodyPieces::Next next;
    while ((next = pieces_.next(*request_, pace_.mostBytes(isPaidAhead), block, piece)) ==
           BodyPieces::Next::Piece) {
        if (!refuseWith(intake_.feed(piece))) {
            return Progress::Refused;
        }
        pace_.spend(piece.size());
        if (mustWait() && (request_->reading_body || !pieces_.allTaken())) {
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

// nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): nginx has just set
// client_body_timeout. That is for a client that has begun an event; between two events a stream may be
// silent for longer.
void Publisher::waitForMore() noexcept {
    if (!holdMemory()) {
        conclude();
        return;
    }
    request_->read_event_handler = onBody;
    ngx_event_t* read = request_->connection->read;
    if (intake_.isStream() && intake_.isBetweenEvents() && read->timer_set) {
        ngx_add_timer(read, config_.publishTimeout);
    }
}

// A body with a length is read on as long as there is time, because its client counts on all of it. A body
// without a length can be continued elsewhere, from the next event on, unless a part of that event or the end
// of the body is already here.
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

// --- Where the events go ---

Intake::Owner Publisher::intakeOwner() noexcept {
    return {.self = this,
            .take =
                [](void* self, const StagedEvents& events) noexcept {
                    return static_cast<Publisher*>(self)->take(events);
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

Refusal Publisher::take(const StagedEvents& events) noexcept {
    const AppendOptions options{.reopen = config_.reopen != 0,
                                .end = ends_ && isWhole_,
                                .whole = intake_.isBatch(),
                                .preconditions = preconditions_.empty() ? nullptr : &preconditions_};
    const HandedOver handed =
        bus_.isUsed() ? bus_.publish(channel_, events, options, outcome_) : append(events, options);
    if (handed.copies != 0) {
        pace_.spend(events.size(), handed.copies);
    }
    pace_.pay(handed.copies);
    countRepairs();
    return handed.refusal;
}

// Into the log of this machine.
HandedOver Publisher::append(const StagedEvents& events, const AppendOptions& options) noexcept {
    AppendedEvents appended;
    {
        FaultScope crash(request_);
        appended = appendEvents(*config_.zone, channel_, events, options);
    }
    const Refusal refusal = outcome_.note(appended);
    Worker::self().wake(appended.listeners);
    return {refusal, appended.copies};
}

// What has been repaired since the last time.
void Publisher::countRepairs() noexcept {
    const uint64_t all = intake_.repaired();
    if (all != countedRepairs_) {
        config_.zone->counters->repairs.add(all - countedRepairs_);
        countedRepairs_ = all;
    }
}

bool Publisher::mustWait() const noexcept {
    return pace_.isSliceSpent() || pace_.overdrawn() != 0 || !bus_.hasRoom();
}

// The publisher has used up its slice of this turn, or sse_max_rate, or too much is on its way: nothing more
// is read until more may be taken, so the client has to wait.
void Publisher::pause() noexcept {
    if (!holdMemory()) {
        conclude();
        return;
    }
    SSE_ASSERT(isLinked_ && !timer_.waiting());
    request_->read_event_handler = ngx_http_block_reading;
    stopBodyTimeout(request_);
    if (!bus_.hasRoom()) {
        bus_.waitForRoom();
    } else if (const ngx_msec_t wait = pace_.overdrawn(); wait != 0) {
        timer_.wait(wait + kBreath);
    } else {
        Worker::self().schedule(rest_);
    }
}

// Many publishers may be allowed to go on at the same moment, so each waits for its turn; see
// Subscriber::onDeadline().
void Publisher::onAllowed(ngx_event_t* event) noexcept {
    Worker::self().schedule(LoopEvent::owner<Publisher>(event).rest_);
}

void Publisher::onTurn(void* self) noexcept {
    static_cast<Publisher*>(self)->goOn();
}

// There is room, or the outcome is known.
void Publisher::onProgress(void* self) noexcept {
    auto& publisher = *static_cast<Publisher*>(self);
    if (!publisher.isConcluded_) {
        publisher.goOn();
        return;
    }
    ngx_connection_t* c = publisher.request_->connection;
    publisher.end(publisher.answer());
    ngx_http_run_posted_requests(c);
}

void Publisher::goOn() noexcept {
    ngx_connection_t* c = request_->connection;
    restartBodyTimeout(request_);
    readOn();
    ngx_http_run_posted_requests(c);
}

// --- The end ---

void Publisher::onDrain(Drainable& drainable, bool force) noexcept {
    Publisher& self = *static_cast<Publisher*>(drainable.owner);
    ngx_connection_t* c = self.request_->connection;
    self.isDraining_ = true;
    if (!self.isConcluded_ && self.mayStopReading()) {
        self.finish();
    } else if (force) {
        self.refuseWith(self.isConcluded_ ? Refusal::None : Refusal::BodyCutByDrain);
        self.stopReading();
        self.end(self.answer());
    } else {
        return;
    }
    ngx_http_run_posted_requests(c);
}

// The body is complete, or the client has to continue elsewhere with the rest; or with all of it, if no event
// of it has been taken.
void Publisher::finish() noexcept {
    Refusal refusal = Refusal::None;
    if (isDraining_ && request_->reading_body) {
        refusal = intake_.accepted() == 0 ? Refusal::BodyCutByDrain : Refusal::None;
    } else {
        isWhole_ = isBodyWhole(*request_);
        refusal = isWhole_ ? finishIntake() : Refusal::BodyNotKept;
    }
    const bool isEnded = outcome_.hasEnded(channel_.name) || outcome_.isRepeated();
    if (refusal == Refusal::None && isWhole_ && ends_ && !isEnded) {
        refusal = endChannel();
    }
    refuseWith(refusal);
    conclude();
}

// An end without a body is not an event. A request with preconditions must bring something: there must be a
// record that tells of the request later.
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
    if (bus_.isUsed()) {
        return bus_.end(channel_, preconditions_, outcome_);
    }
    const std::optional<AppendedEvents> end = appendEnd(*config_.zone, channel_, preconditions_);
    if (!end) {
        return Refusal::UnknownChannel;
    }
    Worker::self().wake(end->listeners);
    return outcome_.note(*end);
}

// Nothing more is read. The answer waits until it is known what has become of the events.
void Publisher::conclude() noexcept {
    stopReading();
    if (bus_.isOver()) {
        end(answer());
    } else {
        bus_.waitForEnd();
    }
}

// It may have waited for its turn to read on: a leaving worker asks it to end at any time.
void Publisher::stopReading() noexcept {
    isConcluded_ = true;
    timer_.cancel();
    Worker::self().cancel(rest_);
    request_->read_event_handler = ngx_http_block_reading;
    stopBodyTimeout(request_);
    forgetUsedBody(request_);
}

// Every way out leads through here. The request may live on, sending the answer, lingering or redirected to
// another location: then neither the rest of the body nor a draining worker matters here, and no memory is
// needed.
//
// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): if the client has gone,
// ngx_http_finalize_request() of a subrequest ends its main request at once, and with it other mirrors that
// still publish. NGX_DONE gives back no more than this subrequest's share.
void Publisher::end(ngx_int_t rc) noexcept {
    SSE_ASSERT(isLinked_);
    unlink();
    memory_.release();
    if (request_->background && request_->connection->error) {
        request_->done = 1;
        rc = NGX_DONE;
    }
    ngx_http_finalize_request(request_, rc);
}

// nginx has found a fault in the body. Unless the client has gone, it gets our answer, with the number of
// events taken.
void Publisher::concludeBodyError() noexcept {
    ngx_connection_t* c = request_->connection;
    Refusal refusal = Refusal::None;
    switch (c->error ? NGX_OK : bodyError_) {
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        refusal = Refusal::BodyTooLarge;
        break;
    case NGX_HTTP_BAD_REQUEST:
        refusal = Refusal::MalformedBody;
        break;
    case NGX_HTTP_REQUEST_TIME_OUT:
        // nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): otherwise nginx would
        // close the connection without an answer.
        c->timedout = c->read->timedout = 0;
        refusal = Refusal::BodyPaused;
        break;
    default:
        if (!c->error && bodyError_ >= NGX_HTTP_INTERNAL_SERVER_ERROR && !std::exchange(isNoted_, true)) {
            countRefusedPublish(request_, Refusal::BodyUnreadable);
        }
        stopReading();
        end(bodyError_);
        return;
    }
    refuseWith(refusal);
    conclude();
}

// --- Answering ---

// Whether to go on: nothing is refused. The first reason counts.
bool Publisher::refuseWith(Refusal refusal) noexcept {
    if (refusal_ == Refusal::None) {
        refusal_ = refusal;
    }
    return refusal == Refusal::None;
}

// What was staged before the fault is in the log by now, unless all or nothing was to be published.
ngx_int_t Publisher::sendRefusal() noexcept {
    SSE_ASSERT(refusal_ != Refusal::None);
    isNoted_ = true;
    RefusalFacts facts = outcome_.facts(intake_.isStream());
    if (refusal_ == intake_.refusal()) {
        facts.place = intake_.place();
    }
    return refusePublish(request_, refusal_, facts);
}

// What has become of the events takes precedence over a fault that was found after them.
ngx_int_t Publisher::answer() noexcept {
    if (const Refusal refusal = bus_.settle(outcome_); refusal != Refusal::None) {
        refusal_ = refusal;
    }
    if (refusal_ != Refusal::None) {
        return sendRefusal();
    }
    note(outcome_.isNothing() ? PublishOutcome::Nothing : PublishOutcome::Published);
    return outcome_.answer(request_);
}

} // namespace sse
