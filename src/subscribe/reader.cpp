#include "subscribe/reader.hpp"

#include <utility>

#include "worker/worker.hpp"

namespace sse {

namespace {

CloseReason reasonAtDoor(Refusal refused) noexcept {
    return refused == Refusal::Kicked     ? CloseReason::Kicked
           : refused == Refusal::NoMemory ? CloseReason::Error
                                          : CloseReason::Rejected;
}

// Joins the feed and takes stock of its channels while it holds the zone's lock once, so the stock fits the
// moment from which the feed brings new events. If the result is Ok, the member is in the feed; `catchup` is
// NULL without memory. If it is Unfilled, the same is true, but the stock says nothing about events, and must
// be taken once more when the zone is filled.
Admission joinFeed(Tail& tail, const Subscription& subscription, Member& member, Catchup*& catchup) noexcept {
    std::optional<ZoneLock> lock = ZoneLock::acquire(tail.zone());
    if (!lock) {
        return Admission::Locked;
    }
    Tail::Join join = tail.join(lock->log(), subscription.channels, member);
    if (join != Tail::Join::Ok) {
        return join == Tail::Join::NoMemory ? Admission::NoMemory : Admission::IndexFull;
    }
    catchup = Catchup::make(lock->log(), *member.feed, subscription.from);
    return isFilled(tail.zone()) ? Admission::Ok : Admission::Unfilled;
}

} // namespace

Refusal Reader::arrive(const Subscription& subscription) noexcept {
    const Refusal refusal =
        Worker::self().guests().admit(request_, guest_, subscription.key, subscription.channels);
    if (refusal != Refusal::None) {
        context_->reason = reasonAtDoor(refusal);
    }
    return refusal;
}

Admission Reader::join(Tail& tail, const Subscription& subscription) noexcept {
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
    isPlaced_ = true;
    closeCatchup();
    return fromNow;
}

void Reader::countOpen() noexcept {
    counters().opened[at(kind_)].add();
    isCounted_ = true;
}

void Reader::leave() noexcept {
    Worker& worker = Worker::self();
    worker.guests().leave(guest_);
    if (!isMember()) {
        return;
    }
    if (std::exchange(isCounted_, false)) {
        counters().closed[at(kind_)][at(context_->reason)].add();
    }
    closeCatchup();
    worker.cancel(task_);
    worker.remove(drainable_, request_);
    worker.entry().subscribers.fetch_sub(1, std::memory_order_relaxed);
    member_.feed->tail->leave(member_);
}

// A reader that came before the zone was filled learns only now where it begins.
Admission Reader::takeStock() noexcept {
    const Zone& zone = member_.feed->tail->zone();
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock || !isFilled(zone)) {
        return lock ? Admission::Unfilled : Admission::Locked;
    }
    catchup_ = Catchup::make(lock->log(), *member_.feed, {beginning_, cursor_, requested_, history_});
    if (catchup_ == nullptr) {
        return Admission::NoMemory;
    }
    beginning_ = Beginning::Kind::Cursor;
    cursor_ = catchup_->cursor();
    return Admission::Ok;
}

void Reader::closeCatchup() noexcept {
    ngx_free(catchup_);
    catchup_ = nullptr;
}

void Reader::noteReason(CloseReason reason) noexcept {
    if (context_->reason == CloseReason::None) {
        context_->reason = reason;
    }
}

} // namespace sse
