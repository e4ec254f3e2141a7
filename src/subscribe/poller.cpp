#include "subscribe/poller.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "http/body.hpp"
#include "http/client_end.hpp"
#include "http/request.hpp"
#include "http/respond.hpp"
#include "subscribe/append_notice.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// How many bytes an answer has for each byte of a batch: many, because each costs a request, and few enough
// to be kept for each client that does not read. Like batches they become fewer when there are many.
constexpr size_t kBatches = 4;

// How long a request may wait, in milliseconds. A body would have to be read meanwhile.
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
    : request_(request), context_(&context), config_(locationConfig(request)) {
    member_.deliver = onDelivery;
    member_.firstRead = this;
    task_.owner = this;
    task_.run = onTurn;
    drainable_.owner = this;
    drainable_.drain = onDrain;
    timer_.init(this, onTime);
    guest_.kick = onKick;
}

// Two cleanups: when the request ends it leaves its feed, but the answer stays until the pool goes, see
// Subscriber::make().
Poller* Poller::make(ngx_http_request_t* request, RequestContext& context) noexcept {
    ngx_http_cleanup_t* requestEnd = ngx_http_cleanup_add(request, 0);
    ngx_pool_cleanup_t* poolEnd = ngx_pool_cleanup_add(request->pool, 0);
    void* memory =
        requestEnd == nullptr || poolEnd == nullptr ? nullptr : ngx_palloc(request->pool, sizeof(Poller));
    if (memory == nullptr) {
        return nullptr;
    }
    auto* poller = new (memory) Poller(request, context);
    context.poller = poller;
    requestEnd->handler = onRequestEnd;
    requestEnd->data = poller;
    poolEnd->handler = onPoolEnd;
    poolEnd->data = poller;
    return poller;
}

Refusal Poller::arrive(const Subscription& subscription) noexcept {
    return letIn(request_, *context_, guest_, subscription);
}

ngx_int_t Poller::run(Tail& tail, const Subscription& subscription) noexcept {
    const Admission admission = join(tail, subscription);
    const bool isLater = Worker::self().isBusy();
    if (admission == Admission::Ok) {
        counters().opened[at(SubscriberKind::Poll)].add();
        counted_ = true;
    }
    const Step step = admission != Admission::Ok ? refuseWith(admission)
                      : begun_                   ? onNothing()
                      : isLater                  ? Step::More
                                                 : goOn();
    if (step == Step::Over) {
        return conclude();
    }
    request_->write_event_handler = onRead;
    if (!watchClient(request_, onRead)) {
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

Admission Poller::join(Tail& tail, const Subscription& subscription) noexcept {
    const Admission admission = joinFeed(tail, subscription, member_, catchup_);
    const bool isUnfilled = admission == Admission::Unfilled;
    if (admission != Admission::Ok && !isUnfilled) {
        return admission;
    }
    Worker& worker = Worker::self();
    worker.add(drainable_);
    worker.entry().subscribers.fetch_add(1, std::memory_order_relaxed);
    if (catchup_ == nullptr) {
        return Admission::NoMemory;
    }
    wait_ = patience(*request_, subscription);
    requested_ = subscription.from.requested;
    history_ = subscription.from.history;
    context_->subscribers = catchup_->subscribers();
    if (isUnfilled) {
        closeCatchup();
        beginning_ = subscription.from.kind;
        cursor_ = subscription.from.cursor;
        return admitUnfilled(*config_);
    }
    if (subscription.from.kind != Beginning::Kind::Now) {
        cursor_ = catchup_->cursor();
        return Admission::Ok;
    }
    const Admission fromNow = admitFromNow(*config_, *catchup_);
    cursor_ = catchup_->lastId();
    begun_ = true;
    closeCatchup();
    return fromNow;
}

// --- Reading ---

// Does a slice of the work.
Poller::Step Poller::goOn() noexcept {
    if (!rest_.empty() || answer_.isWriting()) {
        return render();
    }
    if (catchup_ == nullptr) {
        const Step step = takeStock();
        if (step != Step::More) {
            return step;
        }
    }
    if (!catchup_->sought()) {
        const ReadStatus status = catchup_->seek(Catchup::kTurnSteps);
        if (status == ReadStatus::Lapped) {
            closeCatchup();
        }
        if (status != ReadStatus::Ok) {
            return Step::More;
        }
    }
    return catchup_->begins() && !begin() ? Step::Over : readStock();
}

// One that has come before the zone was filled learns only now where it begins.
Poller::Step Poller::takeStock() noexcept {
    const Zone& zone = member_.feed->tail->zone();
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock || !isFilled(zone)) {
        return onLater(lock ? Admission::Unfilled : Admission::Locked);
    }
    isWoken_ = false;
    catchup_ = Catchup::make(lock->log(), *member_.feed, {beginning_, cursor_, requested_, history_});
    if (catchup_ == nullptr) {
        return refuseWith(Admission::NoMemory);
    }
    beginning_ = Beginning::Kind::Cursor;
    cursor_ = catchup_->cursor();
    return Step::More;
}

// As soon as it can read it is woken. What it has need not wait for that.
Poller::Step Poller::onLater(Admission why) noexcept {
    if (!hasNews() && wait_ != 0) {
        isWoken_ = false;
        member_.feed->tail->readWhenPossible(*member_.feed);
        return Step::Wait;
    }
    more_ = true;
    return begun_ ? Step::Over : refuseWith(why);
}

// The start is found: what has been missed is told first, or is a reason to refuse. Returns whether to read
// on.
bool Poller::begin() noexcept {
    const Gap gap = catchup_->gapFor(requested_);
    const bool missed = gap != Gap::None;
    if (missed && hasNews()) { // the next answer begins with it
        more_ = true;
        return false;
    }
    if (missed || !begun_) {
        refused_ = admitFromStart(*config_, *catchup_, gap);
    }
    if (missed && refused_ == Admission::Ok) {
        countGap(*config_->zone, *catchup_);
        const bool told = config_->gapMode() != GapMode::Event || append([this](Buffer& out) noexcept {
                              return catchup_->tellGap(requested_, [&](const GapFacts& facts) noexcept {
                                  return answer_.addGap(out, facts);
                              });
                          });
        refused_ = told ? Admission::Ok : Admission::NoMemory;
    }
    begun_ = true;
    cursor_ = catchup_->start();
    requested_ = {};
    return refused_ == Admission::Ok;
}

Poller::Step Poller::readStock() noexcept {
    const Catchup::Progress progress = catchup_->readStock(batch_, PollAnswer::kPart);
    if (progress == Catchup::Progress::NoMemory) {
        return refuseWith(Admission::NoMemory);
    }
    atEnd_ = progress == Catchup::Progress::AtTip;
    if (progress == Catchup::Progress::Outdated) {
        closeCatchup();
    }
    if (batch_.size() == 0) {
        return onRendered();
    }
    rest_ = batch_->content();
    return render();
}

Poller::Step Poller::render() noexcept {
    const bool isWriting = answer_.isWriting();
    const std::string_view part(rest_.data(), isWriting ? 0 : std::min(rest_.size(), PollAnswer::kPart));
    rest_.remove_prefix(part.size());
    answer_.limit(kBatches * Batch::most());
    const bool complete = append([&](Buffer& out) noexcept {
        return isWriting ? answer_.writeOn(out) : answer_.addEvents(out, part);
    });
    if (!complete) {
        return refuseWith(Admission::NoMemory);
    }
    if (answer_.isFull()) {
        more_ = true;
        return Step::Over;
    }
    if (rest_.empty() && batch_) {
        cursor_ = std::max(cursor_, batch_->last);
        history_ = {};
        batch_.reset();
    }
    return rest_.empty() && !answer_.isWriting() ? onRendered() : Step::More;
}

// All that has been read is in the answer.
Poller::Step Poller::onRendered() noexcept {
    return atEnd_ ? onStockRead() : Step::More;
}

// What comes later is newer than all that was there, whatever channel that was of.
Poller::Step Poller::onStockRead() noexcept {
    ended_ = !catchup_->isAhead() && (catchup_->ended() || member_.feed->ended());
    cursor_ = std::max(cursor_, catchup_->lastId());
    history_ = {};
    closeCatchup();
    if (ended_) {
        noteReason(CloseReason::Ended);
    }
    return ended_ || hasNews() ? Step::Over : onNothing();
}

Poller::Step Poller::onNothing() noexcept {
    return wait_ != 0 ? Step::Wait : Step::Over;
}

// Always Over.
Poller::Step Poller::refuseWith(Admission refused) noexcept {
    refused_ = refused;
    return Step::Over;
}

void Poller::closeCatchup() noexcept {
    ngx_free(catchup_);
    catchup_ = nullptr;
}

// --- Waiting ---

void Poller::await(Step step) noexcept {
    isWaiting_ = step == Step::Wait && !isWoken_;
    if (!isWaiting_) {
        Worker::self().schedule(task_);
    }
}

void Poller::onTurn(void* self) noexcept {
    auto& poller = *static_cast<Poller*>(self);
    const Step step = poller.goOn();
    if (step == Step::Over) {
        poller.finish();
    } else {
        poller.await(step);
    }
}

void Poller::onDelivery(Member& member, const BatchRef& batch, bool isLost) noexcept {
    auto* self = reinterpret_cast<Poller*>(reinterpret_cast<u_char*>(&member) - offsetof(Poller, member_));
    self->deliver(batch, isLost);
}

void Poller::deliver(const BatchRef& batch, bool isLost) noexcept {
    counters().deferred[at(Deferral::Poll)].add(batch ? batch->events : 0);
    if (isLost || (batch && batch->last > cursor_) || member_.feed->ended()) {
        isWoken_ = true;
        if (std::exchange(isWaiting_, false)) {
            Worker::self().schedule(task_);
        }
    }
}

// What is being read is answered when it has been read.
void Poller::onTime(ngx_event_t* event) noexcept {
    auto& self = LoopEvent::owner<Poller>(event);
    self.wait_ = 0;
    if (self.isWaiting_) {
        self.stopWaiting();
    }
}

// Nothing has come. One that wants what is new, and came before the zone was filled, has no position that an
// answer could give it.
void Poller::stopWaiting() noexcept {
    if (beginning_ == Beginning::Kind::Now) {
        refuseWith(Admission::Unfilled);
    }
    finish();
}

// The same, unless there is no time for that.
void Poller::onDrain(Drainable& drainable, bool force) noexcept {
    Poller& self = *static_cast<Poller*>(drainable.owner);
    self.wait_ = 0;
    if (self.isWaiting_ || force) {
        self.more_ = !self.isWaiting_;
        self.noteReason(CloseReason::Drain);
        self.stopWaiting();
    }
}

// What it has read so far is not its to have any more.
void Poller::onKick(Guest& guest) noexcept {
    auto* self = reinterpret_cast<Poller*>(reinterpret_cast<u_char*>(&guest) - offsetof(Poller, guest_));
    self->kicked_ = true;
    self->finish();
}

// The client has sent something, or is gone.
//
// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): with "post_action"
// ngx_http_finalize_request() sends the request on to another location and calls no cleanup: it must have
// left its feed before.
void Poller::onRead(ngx_http_request_t* request) noexcept {
    if (!hasClientGone(request)) {
        return;
    }
    Poller& self = *contextOf(request)->poller;
    request->connection->error = 1;
    self.noteReason(CloseReason::Client);
    self.leave();
    ngx_http_finalize_request(request, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}

void Poller::onRequestEnd(void* data) noexcept {
    auto& poller = *static_cast<Poller*>(data);
    if (poller.member_.feed != nullptr) {
        poller.noteReason(CloseReason::Client);
    }
    poller.leave();
}

void Poller::onPoolEnd(void* data) noexcept {
    static_cast<Poller*>(data)->~Poller();
}

void Poller::leave() noexcept {
    Worker::self().guests().leave(guest_);
    if (member_.feed == nullptr) {
        return;
    }
    if (std::exchange(counted_, false)) {
        counters().closed[at(SubscriberKind::Poll)][at(context_->reason)].add();
    }
    Worker& worker = Worker::self();
    closeCatchup();
    timer_.cancel();
    worker.cancel(task_);
    worker.remove(drainable_, request_);
    worker.entry().subscribers.fetch_sub(1, std::memory_order_relaxed);
    member_.feed->tail->leave(member_);
}

void Poller::noteReason(CloseReason reason) noexcept {
    if (context_->reason == CloseReason::None) {
        context_->reason = reason;
    }
}

// --- Answering ---

// Adds to the answer what write(buffer) renders. It grows by half, so that a long one is not copied for each
// part of it.
template <typename Write>
bool Poller::append(Write&& write) noexcept {
    BatchRef part;
    if (!appendNotice(part, write)) {
        return false;
    }
    if (part.size() == 0) {
        return true; // a part of an event that is not complete
    }
    const size_t size = text_.size();
    const bool fits = text_ && text_->capacity - size >= part.size();
    return (fits || text_.room(std::max(part.size(), size / 2)) != nullptr) && text_.append(part->content());
}

// For timers and turns, after which nginx does not run posted requests.
void Poller::finish() noexcept {
    ngx_connection_t* c = request_->connection;
    ngx_http_finalize_request(request_, conclude());
    ngx_http_run_posted_requests(c);
}

// Leaves the feed; returns what the request is to be finalized with. What is refused may go on to another
// location.
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
