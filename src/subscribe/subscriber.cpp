#include "subscribe/subscriber.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "http/body.hpp"
#include "sse/log_text.hpp"
#include "subscribe/jitter.hpp"
#include "worker/free_list.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// Records read while a subscriber is admitted. A seek takes some fifty, more only in chains of channels whose
// hashes collide; these are continued in slices.
constexpr uint32_t kAdmissionSteps = 32 * 1024;

FreeList<Subscriber> freeList;

} // namespace

// --- Coming ---

// Two cleanups: when the request ends the subscriber leaves its feed, but its buffer stays until the pool
// goes.
//
// nginx-internal: http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a stream with frames in the queue
// keeps its pool until they are out (ngx_http_v2_close_stream).
Subscriber* Subscriber::make(ngx_http_request_t* request, RequestContext& context) noexcept {
    ngx_http_cleanup_t* requestEnd = ngx_http_cleanup_add(request, 0);
    ngx_pool_cleanup_t* poolEnd = ngx_pool_cleanup_add(request->pool, 0);
    void* memory = requestEnd == nullptr || poolEnd == nullptr ? nullptr : freeList.take();
    if (memory == nullptr) {
        return nullptr;
    }
    auto* subscriber = new (memory) Subscriber{};
    subscriber->drainable_.owner = subscriber;
    subscriber->drainable_.drain = onDrain;
    subscriber->guest_.kick = onKick;
    subscriber->catchUp_.owner = subscriber;
    subscriber->catchUp_.run = onTurn;
    subscriber->config_ = locationConfig(request);
    subscriber->context_ = &context;
    subscriber->stream_.open(request, subscriber->config_->sendTimeout);
    subscriber->member_.deliver = onDelivery;
    subscriber->member_.firstRead = request->connection;
    context.subscriber = subscriber;

    requestEnd->handler = onRequestEnd;
    requestEnd->data = subscriber;
    poolEnd->handler = onPoolEnd;
    poolEnd->data = subscriber;
    return subscriber;
}

Refusal Subscriber::arrive(const Subscription& subscription) noexcept {
    return letIn(stream_.request(), *context_, guest_, subscription);
}

Admission Subscriber::admit(Tail& tail, const Subscription& subscription) noexcept {
    Admission admission = join(tail, subscription);
    if (admission != Admission::Ok) {
        noteReason(reasonOf(admission));
        detach();
        return admission;
    }
    counters().opened[at(SubscriberKind::Stream)].add();
    counted_ = true;
    return admission;
}

Admission Subscriber::join(Tail& tail, const Subscription& subscription) noexcept {
    Admission admission = joinFeed(tail, subscription, member_, catchup_);
    const bool isUnfilled = admission == Admission::Unfilled;
    if (admission != Admission::Ok && !isUnfilled) {
        return admission;
    }
    Worker& worker = Worker::self();
    worker.add(drainable_);
    worker.entry().subscribers.fetch_add(1, std::memory_order_relaxed);
    heartbeat_ = Heartbeats::ofProcess().add(*config_, beat_, onBeat);
    if (catchup_ == nullptr || (heartbeat_ == nullptr && config_->heartbeat != 0)) {
        return Admission::NoMemory;
    }

    requested_ = subscription.from.requested;
    primed_ = !requested_.empty();
    history_ = subscription.from.history;
    expires_ = subscription.expires;
    padded_ = subscription.isPadded;
    retry_ = static_cast<uint32_t>(withJitter(config_->retry, config_->retryJitter));

    context_->subscribers = catchup_->subscribers();
    if (isUnfilled) {
        closeCatchup();
        beginning_ = subscription.from.kind;
        cursor_ = subscription.from.cursor;
        return admitUnfilled(*config_);
    }
    if (subscription.from.kind == Beginning::Kind::Now) {
        admission = admitFromNow(*config_, *catchup_);
        cursor_ = catchup_->lastId();
        closeCatchup();
        live_ = true;
        return admission;
    }
    cursor_ = catchup_->cursor();
    return seekStart();
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
    if (live_) {
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
    stream_.request()->write_event_handler = onWrite;
    stream_.limitSilence();
    bool open = resume();
    if (open) {
        limitTime();
    }
    if (open && !ending_ && Worker::self().isDraining()) {
        noteReason(CloseReason::Drain);
        cut();
        ending_ = true;
        open = stream_.blocked();
    }
    return open;
}

// --- Going ---

void Subscriber::noteReason(CloseReason reason) noexcept {
    if (context_->reason == CloseReason::None) {
        context_->reason = reason;
    }
}

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
    ngx_log_error(NGX_LOG_INFO, stream_.request()->connection->log, error, "sse: channel \"%V\": %s", &name,
                  why);
}

// Always false: the stream is no longer open.
bool Subscriber::fail(CloseReason reason, ngx_int_t code) noexcept {
    noteReason(reason);
    closeCode_ = code;
    return false;
}

void Subscriber::abandon(CloseReason reason) noexcept {
    noteReason(reason);
    detach();
}

ngx_int_t Subscriber::conclude() noexcept {
    noteReason(CloseReason::Client);
    detach();
    return closeCode_ == NGX_OK ? stream_.finish() : closeCode_;
}

void Subscriber::detach() noexcept {
    Worker::self().guests().leave(guest_);
    if (member_.feed == nullptr) {
        return;
    }
    if (std::exchange(counted_, false)) {
        counters().closed[at(SubscriberKind::Stream)][at(context_->reason)].add();
    }
    noteGiven(cursor_);
    closeCatchup();
    if (heartbeat_ != nullptr) {
        ngx_queue_remove(&beat_.link);
    }
    if (deadline_.timer_set) {
        ngx_del_timer(&deadline_);
    }
    Worker::self().cancel(catchUp_);
    Worker::self().remove(drainable_, stream_.request());
    Worker::self().entry().subscribers.fetch_sub(1, std::memory_order_relaxed);
    member_.feed->tail->leave(member_);
}

void Subscriber::onRequestEnd(void* data) noexcept {
    auto* subscriber = static_cast<Subscriber*>(data);
    if (subscriber->member_.feed != nullptr) {
        subscriber->noteReason(CloseReason::Client);
        subscriber->detach();
    }
}

void Subscriber::onPoolEnd(void* data) noexcept {
    auto* subscriber = static_cast<Subscriber*>(data);
    subscriber->~Subscriber();
    freeList.give(subscriber);
}

// For the fan-out and timers, after which nginx does not run posted requests.
void Subscriber::close() noexcept {
    ngx_connection_t* c = stream_.connection();
    ngx_http_finalize_request(stream_.request(), conclude());
    ngx_http_run_posted_requests(c);
}

// The client has sent something, or is gone. A connection that the kernel has given up is closed with that
// error. Over HTTP/1 what has arrived is read, because the end of the client can be seen only after it. Over
// HTTP/3 the socket is that of all connections, and its error concerns any of them.
//
// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_http_test_reading() asks for
// the error once more, and the kernel reports it once. It sees the end past the rest of a body or another
// request with epoll alone. And it leaves the end to ngx_http_finalize_request(), which with "post_action"
// sends the request on to another location and calls no cleanup: the stream must have left its channel
// before. What it asks for over HTTP/2 is `error` of the connection, and over HTTP/3 that of its read event.
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

// nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): nginx may have put in place
// a handler that does not notice that the client has gone, for example at the end of a body.
void Subscriber::watchClient() noexcept {
    ngx_http_request_t* request = stream_.request();
    if (request->read_event_handler != onRead) {
        request->read_event_handler = onRead;
        ngx_post_event(request->connection->read, &ngx_posted_events);
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
        self.logEnd(NGX_ETIMEDOUT, "the client takes nothing");
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

// What was in flight is through: one that is behind waits for its turn.
bool Subscriber::goOn() noexcept {
    if (begun_ && !live_ && !ending_ && !stream_.blocked()) {
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

// Continues: sends whatever no batch will bring.
bool Subscriber::resume() noexcept {
    if (stream_.blocked() || (live_ && begun_ && !ending_)) {
        return true;
    }
    if (ending_) {
        return endIfOver();
    }

    BatchRef out;
    bool memory = begun_ || addPreamble(out);
    Reading reading = Reading::More;
    // Where others wait, the first bytes go out at once, and the rest in turn.
    if (memory && !live_ && (begun_ || !Worker::self().isBusy())) {
        reading = readOn(out);
        memory = reading != Reading::NoMemory;
        live_ = reading == Reading::AtTip;
        ending_ = reading == Reading::Over;
    }
    if (memory && live_ && !primed_ && (!out || out->events == 0)) {
        memory = addPrime(out);
    }
    if (memory && live_ && !caughtUp_) {
        memory = addCaughtUp(out);
    }
    if (!memory) {
        return fail(CloseReason::Error, NGX_ERROR);
    }

    begun_ = true;
    // A batch without a byte: its event has been overwritten meanwhile.
    if (out.size() != 0 && !send(std::move(out))) {
        return false;
    }
    if (reading == Reading::Later) {
        member_.feed->tail->readWhenPossible(*member_.feed);
    } else if (!live_ && !ending_ && !stream_.blocked()) {
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

void Subscriber::onDelivery(Member& member, const BatchRef& batch, bool isLost) noexcept {
    auto* self =
        reinterpret_cast<Subscriber*>(reinterpret_cast<u_char*>(&member) - offsetof(Subscriber, member_));
    self->deliver(batch, isLost);
}

void Subscriber::deliver(const BatchRef& batch, bool isLost) noexcept {
    if (isLost) { // also to who could not read, see readOn()
        fallBehind();
        return;
    }
    if (!live_) {
        defer(batch);
        return;
    }
    if (batch && batch->last > cursor_) {
        if (stream_.blocked() || ending_ || cursor_ >= batch->first) {
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

// Counts what it does not take.
void Subscriber::defer(const BatchRef& batch) const noexcept {
    if (batch) {
        const Deferral why = ending_                  ? Deferral::Ending
                             : batch->last <= cursor_ ? Deferral::Known
                             : stream_.blocked()      ? Deferral::Blocked
                                                      : Deferral::Behind;
        counters().deferred[at(why)].add(batch->events);
    }
}

void Subscriber::fallBehind() noexcept {
    live_ = false;
    if (!stream_.blocked()) {
        schedule();
    }
}

void Subscriber::schedule() noexcept {
    Worker::self().schedule(catchUp_);
}

void Subscriber::onTurn(void* self) noexcept {
    auto& subscriber = *static_cast<Subscriber*>(self);
    if (!subscriber.resume()) {
        subscriber.close();
    }
}

void Subscriber::onBeat(Beat& beat, const BatchRef& text) noexcept {
    auto* self =
        reinterpret_cast<Subscriber*>(reinterpret_cast<u_char*>(&beat) - offsetof(Subscriber, beat_));
    self->beat(text);
}

void Subscriber::beat(const BatchRef& text) noexcept {
    heartbeat_->onSent(beat_);
    watchClient();
    if (!begun_ || ending_ || stream_.blocked()) {
        return;
    }
    counters().heartbeats.add();
    if (!check(stream_.send(text))) {
        close();
    }
}

} // namespace sse
