#include "subscribe/poller.hpp"

#include <utility>

#include "http/body.hpp"
#include "http/client_end.hpp"
#include "http/request.hpp"
#include "http/request_life.hpp"
#include "http/respond.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// How long a request may wait, in milliseconds. A request with a body may not wait, because the body would
// have to be read meanwhile.
ngx_msec_t patience(const ngx_http_request_t& r, const Subscription& subscription) noexcept {
    if (r.method != NGX_HTTP_GET || hasBody(r) || Worker::self().isDraining()) {
        return 0;
    }
    const auto now = static_cast<uint64_t>(ngx_time());
    const uint64_t access = subscription.expires == 0 ? UINT64_MAX : subscription.expires - now; // seconds
    return access > subscription.wait / 1000 ? subscription.wait : static_cast<ngx_msec_t>(access) * 1000;
}

} // namespace

Poller::Poller(ngx_http_request_t* request, RequestContext& context) noexcept
    : Reader(this, SubscriberKind::Poll, request, context) {
    timer_.init(this, onTime);
    context.poller = this;
}

ngx_int_t Poller::run(Tail& tail, const Subscription& subscription) noexcept {
    const Step step = begin(tail, subscription);
    if (step == Step::Over) {
        return conclude();
    }
    request_->write_event_handler = onClient;
    if (!watchClient(request_, onClient)) {
        refuseWith(Admission::NoMemory);
        return conclude();
    }
    request_->main->count++;
    if (wait_ != 0) {
        timer_.wait(wait_);
    }
    await(step);
    return NGX_DONE;
}

// If others wait, the poll has its turn after them.
Poller::Step Poller::begin(Tail& tail, const Subscription& subscription) noexcept {
    const Admission admission = join(tail, subscription);
    if (admission != Admission::Ok) {
        return refuseWith(admission);
    }
    countOpen();
    wait_ = patience(*request_, subscription);
    if (isPlaced_) {
        return onNothing();
    }
    return Worker::self().isBusy() ? Step::More : goOn();
}

// --- Waiting ---

void Poller::await(Step step) noexcept {
    isWaiting_ = step == Step::Wait && !isWoken_;
    if (!isWaiting_) {
        Worker::self().schedule(task_);
    }
}

// A poll that still waits has its turn because its time is up.
void Poller::onTurn() noexcept {
    if (isWaiting_) {
        stopWaiting();
        return;
    }
    const Step step = goOn();
    if (step == Step::Over) {
        finish();
    } else {
        await(step);
    }
}

void Poller::onBatch(const BatchRef& batch, bool isLost) noexcept {
    counters().deferred[at(Deferral::Poll)].add(batch ? batch->events : 0);
    if (isLost || (batch && batch->last > cursor_) || member_.feed->ended()) {
        isWoken_ = true;
        if (std::exchange(isWaiting_, false)) {
            Worker::self().schedule(task_);
        }
    }
}

// A poll that is reading answers when it has read. The time of many polls may be up at the same moment, so
// each waits for its turn, see Subscriber::onDeadline().
void Poller::onTime(ngx_event_t* event) noexcept {
    auto& self = LoopEvent::owner<Poller>(event);
    self.wait_ = 0;
    if (self.isWaiting_) {
        Worker::self().schedule(self.task_);
    }
}

// Nothing has come. A poll that wants only new events, and that came before the zone was filled, has no
// position that an answer could give.
void Poller::stopWaiting() noexcept {
    if (beginning_ == Beginning::Kind::Now) {
        refuseWith(Admission::Unfilled);
    }
    finish();
}

// As in onTime(): a poll that is reading answers when it has read, unless there is no time for that.
void Poller::onDrain(bool force) noexcept {
    wait_ = 0;
    if (isWaiting_ || force) {
        more_ = !isWaiting_;
        noteReason(CloseReason::Drain);
        stopWaiting();
    }
}

// The client may no longer have what the poll has read so far.
void Poller::onKick() noexcept {
    kicked_ = true;
    finish();
}

// The client has sent something, or is gone.
//
// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): with "post_action"
// ngx_http_finalize_request() sends the request on to another location and calls no cleanup: the poll must
// have left its feed before.
void Poller::onClient(ngx_http_request_t* request) noexcept {
    if (!hasClientGone(request)) {
        return;
    }
    Poller& self = *contextOf(request)->poller;
    request->connection->error = 1;
    self.noteReason(CloseReason::Client);
    self.leave();
    ngx_http_finalize_request(request, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}

void Poller::onRequestEnd() noexcept {
    if (isMember()) {
        noteReason(CloseReason::Client);
    }
    leave();
}

void Poller::leave() noexcept {
    timer_.cancel();
    Reader::leave();
}

// --- Answering ---

void Poller::finish() noexcept {
    finalizeFromOutside(request_, conclude());
}

// Leaves the feed; returns what the request is to be finalized with. A request that is refused may go on to
// another location.
ngx_int_t Poller::conclude() noexcept {
    if (!kicked_ && refused_ == Admission::Ok && !close()) {
        refused_ = Admission::NoMemory;
    }
    if (kicked_ || refused_ != Admission::Ok) {
        noteReason(kicked_ ? CloseReason::Kicked : reasonOf(refused_));
    }
    leave();
    request_->read_event_handler = ngx_http_block_reading;
    request_->write_event_handler = ngx_http_request_empty_handler;
    batch_.reset();
    answer_.discard();
    if (!kicked_ && refused_ == Admission::Ok) {
        return send();
    }
    text_.reset();
    return kicked_ ? refuseAtDoor(request_, *context_, Refusal::Kicked)
                   : refuseAdmission(request_, *context_, refused_);
}

bool Poller::close() noexcept {
    const EventIdText position(cursor_);
    const std::string_view last = answer_.lastId();
    const std::string_view cursor = !last.empty() ? last : !requested_.empty() ? requested_ : position.view();
    if (!append([&](Buffer& out) noexcept {
            return answer_.close(out, {.cursor = cursor, .more = more_, .ended = ended_});
        })) {
        return false;
    }
    context_->events = answer_.events();
    context_->lastId = parseEventId(last.substr(0, last.find('~'))).value_or(EventId{});
    counters().deliveredEvents[at(Way::Poll)].add(answer_.events());
    counters().deliveredBytes[at(Way::Poll)].add(text_.size());
    return true;
}

ngx_int_t Poller::send() noexcept {
    if (Worker::self().isDraining()) {
        request_->keepalive = 0; // the client need not find out with its next request
    }
    if (!isFlagSet(*request_, "poll") && !addHeader(request_, "Vary", "Accept")) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return respond(request_, NGX_HTTP_OK, text_->content());
}

} // namespace sse
