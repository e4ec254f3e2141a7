#include "subscribe/subscriber.hpp"

#include <utility>

#include "http/body.hpp"
#include "http/request_life.hpp"
#include "sse/log_text.hpp"
#include "subscribe/jitter.hpp"
#include "worker/free_list.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// The most records that are read while a subscriber is admitted. A seek takes some fifty, and more only in
// chains of channels whose hashes collide; such a seek is continued in slices.
constexpr uint32_t kAdmissionSteps = 32 * 1024;

FreeList<Subscriber> freeList;

struct ReusedMemory {
    static void* take(ngx_pool_t*, size_t) noexcept { return freeList.take(); }
    static void give(void* memory) noexcept { freeList.give(memory); }
};

} // namespace

// --- Arriving ---

Subscriber::Subscriber(ngx_http_request_t* request, RequestContext& context) noexcept
    : Reader(this, SubscriberKind::Stream, request, context) {
    member_.firstRead = request->connection;
    beat_.owner = this;
    stream_.open(request, config_->sendTimeout);
    context.subscriber = this;
}

Subscriber* Subscriber::make(ngx_http_request_t* request, RequestContext& context) noexcept {
    return makeForRequest<Subscriber, ReusedMemory>(request, request, context);
}

Admission Subscriber::admit(Tail& tail, const Subscription& subscription) noexcept {
    const Admission admission = joinAndSeek(tail, subscription);
    if (admission == Admission::Ok) {
        countOpen();
    } else {
        abandon(reasonOf(admission));
    }
    return admission;
}

Admission Subscriber::joinAndSeek(Tail& tail, const Subscription& subscription) noexcept {
    const Admission admission = join(tail, subscription);
    if (admission != Admission::Ok) {
        return admission;
    }
    heartbeat_ = Heartbeats::ofProcess().add(*config_, beat_, onBeat);
    if (heartbeat_ == nullptr && config_->heartbeat != 0) {
        return Admission::NoMemory;
    }
    primed_ = !requested_.empty();
    expires_ = subscription.expires;
    padded_ = subscription.isPadded;
    retry_ = static_cast<uint32_t>(withJitter(config_->retry, config_->retryJitter));
    if (isPlaced_) {
        state_ = State::Live;
    }
    return catchup_ == nullptr ? Admission::Ok : seekStart();
}

// Seeks now if the way back is short, because then a refusal can still be a status.
Admission Subscriber::seekStart() noexcept {
    ReadStatus status = catchup_->seek(kAdmissionSteps);
    if (status == ReadStatus::Lapped) {
        closeCatchup();
    }
    if (status != ReadStatus::Ok) {
        return Admission::Ok;
    }
    return admitFromStart(*config_, *catchup_, catchup_->gapFor(requested_));
}

bool Subscriber::startPosition(EventId& position) const noexcept {
    if (isPlaced_) {
        position = cursor_;
        return true;
    }
    if (catchup_ == nullptr || !catchup_->sought()) {
        return false;
    }
    position = catchup_->start();
    return true;
}

bool Subscriber::start() noexcept {
    request_->write_event_handler = onWrite;
    stream_.limitSilence();
    bool open = resume();
    if (open) {
        limitTime();
    }
    if (open && state_ != State::Ending && Worker::self().isDraining()) {
        noteReason(CloseReason::Drain);
        open = end(false);
    }
    return open;
}

// --- Leaving ---

// For the variables: adds what has been sent since the last call, up to that event. Called only at the end,
// and when the cursor moves without an event, because a delivery must not touch the context.
void Subscriber::noteGiven(EventId last) noexcept {
    if (events_ != 0) {
        context_->events += std::exchange(events_, 0);
        context_->lastId = last;
    }
}

void Subscriber::logEnd(ngx_err_t error, const char* why) const noexcept {
    const LogText channel(toView(context_->channel));
    const ngx_str_t name = ngxString(channel.view());
    ngx_log_error(NGX_LOG_INFO, request_->connection->log, error, "sse: channel \"%V\": %s", &name, why);
}

// Always false: the stream is no longer open.
bool Subscriber::fail(CloseReason reason, ngx_int_t code) noexcept {
    noteReason(reason);
    closeCode_ = code;
    return false;
}

void Subscriber::abandon(CloseReason reason) noexcept {
    noteReason(reason);
    leave();
}

ngx_int_t Subscriber::conclude() noexcept {
    abandon(CloseReason::Client);
    return closeCode_ == NGX_OK ? stream_.finish() : closeCode_;
}

void Subscriber::leave() noexcept {
    noteGiven(cursor_);
    if (std::exchange(heartbeat_, nullptr) != nullptr) {
        ngx_queue_remove(&beat_.link);
    }
    if (deadline_.timer_set) {
        ngx_del_timer(&deadline_);
    }
    Reader::leave();
}

void Subscriber::onRequestEnd() noexcept {
    if (isMember()) {
        noteReason(CloseReason::Client);
    }
    leave();
}

void Subscriber::close() noexcept {
    finalizeFromOutside(request_, conclude());
}

// The client has sent something, or is gone. A connection that the kernel has given up is closed with that
// error. Over HTTP/1 what has arrived is read, because the end of the client can be seen only after it. Over
// HTTP/3 all connections share one socket, and its error may concern any of them.
//
// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_http_test_reading() asks for
// the error once more, but the kernel reports it only once. Only with epoll does it see the end of the client
// past the rest of a body or another request. And it leaves the end to ngx_http_finalize_request(), which
// with "post_action" sends the request on to another location and calls no cleanup: the stream must have left
// its channel before. Over HTTP/2 it checks `error` of the connection, and over HTTP/3 `error` of its read
// event.
void Subscriber::onRead(ngx_http_request_t* request) noexcept {
    ngx_connection_t* c = request->connection;
    Subscriber& self = *contextOf(request)->subscriber;
    int error = 0;
    socklen_t size = sizeof(error);
    if (request->http_version <= NGX_HTTP_VERSION_20 &&
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ETIMEDOUT) {
        self.noteReason(CloseReason::Slow);
    }
    if (error != 0) {
        c->read->error = 1;
        self.logEnd(error, "the connection is gone");
    }
    const bool isFramed = request->http_version > NGX_HTTP_VERSION_11;
    const bool isGone = isFramed ? c->error || c->read->error : error != 0 || !throwAway(request);
    if (isGone) {
        c->error = 1;
        self.abandon(CloseReason::Client);
        ngx_http_finalize_request(request, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    }
}

// nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): nginx may have set a handler
// that does not notice that the client has gone, for example at the end of a body.
void Subscriber::watchClient() noexcept {
    if (request_->read_event_handler != onRead) {
        request_->read_event_handler = onRead;
        ngx_post_event(request_->connection->read, &ngx_posted_events);
    }
}

// --- Sending ---

void Subscriber::onWrite(ngx_http_request_t* request) noexcept {
    Subscriber& self = *contextOf(request)->subscriber;
    ngx_connection_t* c = request->connection;
    bool open;

    self.watchClient();
    if (c->write->timedout) {
        c->timedout = 1;
        self.noteReason(CloseReason::Slow);
        self.logEnd(NGX_ETIMEDOUT, "the client reads nothing");
        self.stream_.giveUp();
        open = self.fail(CloseReason::Slow, NGX_HTTP_REQUEST_TIME_OUT);
    } else if (c->error || c->write->error) {
        // nginx-internal: event/quic/ngx_event_quic_streams.c (1.26.3, 1.30.4, 1.31.4): HTTP/3 reports a
        // STOP_SENDING here and nowhere else.
        open = self.fail(CloseReason::Client, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    } else {
        open = self.check(self.stream_.flush()) && self.goOn();
    }
    if (!open) {
        ngx_http_finalize_request(request, self.conclude());
    }
}

// What was in flight has been sent: a subscriber that is behind waits for its turn.
bool Subscriber::goOn() noexcept {
    if (begun_ && state_ == State::Behind && !stream_.blocked()) {
        schedule();
        return true;
    }
    return resume();
}

bool Subscriber::check(Stream::Status status) noexcept {
    if (status != Stream::Status::Failed) {
        return true;
    }
    return stream_.connection()->error ? fail(CloseReason::Client, NGX_HTTP_CLIENT_CLOSED_REQUEST)
                                       : fail(CloseReason::Error, NGX_ERROR);
}

// Continues: sends what no batch will bring.
bool Subscriber::resume() noexcept {
    if (stream_.blocked() || (state_ == State::Live && begun_)) {
        return true;
    }
    if (state_ == State::Ending) {
        return endIfOver();
    }

    BatchRef out;
    bool memory = begun_ || addPreamble(out);
    Reading reading = Reading::More;
    // If others wait, the first bytes go out at once, and the rest in turn.
    if (memory && state_ == State::Behind && (begun_ || !Worker::self().isBusy())) {
        reading = readOn(out);
        memory = reading != Reading::NoMemory;
        state_ = reading == Reading::AtTip  ? State::Live
                 : reading == Reading::Over ? State::Ending
                                            : State::Behind;
    }
    if (memory && state_ == State::Live && !primed_ && (!out || out->events == 0)) {
        memory = addPrime(out);
    }
    if (memory && state_ == State::Live && !caughtUp_) {
        memory = addCaughtUp(out);
    }
    if (!memory) {
        return fail(CloseReason::Error, NGX_ERROR);
    }

    begun_ = true;
    // A batch has no byte if its event has been overwritten meanwhile.
    if (out.size() != 0 && !send(std::move(out))) {
        return false;
    }
    if (reading == Reading::Later) {
        member_.feed->tail->readWhenPossible(*member_.feed);
    } else if (state_ == State::Behind && !stream_.blocked()) {
        schedule();
    }
    return endIfOver();
}

bool Subscriber::send(BatchRef batch, Way way) noexcept {
    if (batch->events != 0) {
        primed_ = true;
        events_ += batch->events;
        if (cursor_ > batch->last) { // a gap after its events has moved the cursor further
            noteGiven(batch->last);
        } else {
            cursor_ = batch->last;
        }
        ZoneCounters& counters = this->counters();
        counters.deliveredEvents[at(way)].add(batch->events);
        counters.deliveredBytes[at(way)].add(batch->size - batch->notices);
    }
    if (heartbeat_ != nullptr) {
        heartbeat_->onSent(beat_);
    }
    return check(stream_.send(std::move(batch)));
}

void Subscriber::onBatch(const BatchRef& batch, bool isLost) noexcept {
    if (isLost) { // also reported to a subscriber that could not read, see readOn()
        fallBehind();
        return;
    }
    if (state_ != State::Live) {
        defer(batch);
        return;
    }
    if (batch && batch->last > cursor_) {
        if (stream_.blocked() || cursor_ >= batch->first) {
            defer(batch);
            fallBehind();
            return;
        }
        if (!send(batch, Way::Live)) {
            close();
            return;
        }
    } else {
        defer(batch);
    }
    if (!endIfOver()) {
        close();
    }
}

// Counts the events that it does not take.
void Subscriber::defer(const BatchRef& batch) const noexcept {
    if (batch) {
        const Deferral why = state_ == State::Ending  ? Deferral::Ending
                             : batch->last <= cursor_ ? Deferral::Known
                             : stream_.blocked()      ? Deferral::Blocked
                                                      : Deferral::Behind;
        counters().deferred[at(why)].add(batch->events);
    }
}

void Subscriber::fallBehind() noexcept {
    if (state_ == State::Ending) {
        return;
    }
    state_ = State::Behind;
    if (!stream_.blocked()) {
        schedule();
    }
}

void Subscriber::schedule() noexcept {
    Worker::self().schedule(task_);
}

void Subscriber::onTurn() noexcept {
    const bool open = !std::exchange(isTimeUp_, false) || onTimeUp();
    if (!open || !resume()) {
        close();
    }
}

void Subscriber::onBeat(Beat& beat, const BatchRef& text) noexcept {
    static_cast<Subscriber*>(beat.owner)->beat(text);
}

void Subscriber::beat(const BatchRef& text) noexcept {
    heartbeat_->onSent(beat_);
    watchClient();
    if (!begun_ || state_ == State::Ending || stream_.blocked()) {
        return;
    }
    counters().heartbeats.add();
    if (!check(stream_.send(text))) {
        close();
    }
}

} // namespace sse
