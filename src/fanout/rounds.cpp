// Fan-out: hands each feed's batch to its subscribers, in slices.
#include <utility>

#include "fanout/tail.hpp"

namespace sse {

namespace {

// Subscribers that are served in one slice: then the next feed has its turn.
constexpr int kDeliveries = 16;

} // namespace

// What a feed that has not heard of the last lap has left to be read may lie after a break.
void Tail::beginRound(Feed& feed) noexcept {
    if (feed.lap != lap_) {
        lose(feed);
    }
    refill(feed);
    feed.inRound = true;
    feed.fresh = false;
    feed.lost = std::exchange(feed.freshLost, false);
    feed.current = std::exchange(feed.pending, BatchRef());
    if (feed.lost) {
        release(feed.current);
    }
    if (!ngx_queue_empty(&feed.ready)) {
        ngx_queue_add(&feed.waiting, &feed.ready);
        ngx_queue_init(&feed.ready);
    }
}

void Tail::endRound(Feed& feed) noexcept {
    feed.inRound = false;
    release(feed.current);
    ngx_queue_remove(&feed.runnable);
    feed.scheduled = false;
    if (feed.fresh || feed.isBehind()) {
        schedule(feed);
    }
}

// Returns whether a subscriber is still waiting. A delivery may end any subscriber, not only its own, and
// with the last one the feed itself: so no pointer is kept across a delivery.
bool Tail::fanOut() noexcept {
    int deliveries = kDeliveries;
    while (!ngx_queue_empty(&runnable_)) {
        Feed& feed = *queueItem<Feed>(ngx_queue_head(&runnable_), offsetof(Feed, runnable));
        if (!feed.inRound) {
            beginRound(feed);
        }
        if (ngx_queue_empty(&feed.waiting)) {
            endRound(feed);
            continue;
        }
        if (deliveries-- == 0) {
            ngx_queue_remove(&feed.runnable);
            ngx_queue_insert_tail(&runnable_, &feed.runnable);
            return true;
        }
        ngx_queue_t* link = ngx_queue_head(&feed.waiting);
        ngx_queue_remove(link);
        ngx_queue_insert_tail(&feed.ready, link);
        if (!ngx_queue_empty(&feed.waiting)) {
            __builtin_prefetch(Member::fromLink(ngx_queue_head(&feed.waiting)).firstRead);
        }
        Member& member = Member::fromLink(link);
        member.deliver(member, feed.current, feed.lost);
    }
    return false;
}

} // namespace sse
