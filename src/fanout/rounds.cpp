// Fan-out: hands each feed's batch to its subscribers, in slices.
#include <span>
#include <utility>

#include "counters/counts.hpp"
#include "fanout/tail.hpp"

namespace sse {

namespace {

// Subscribers that are served in one slice: then the next feed has its turn.
constexpr int kDeliveries = 16;

// nginx's own clock stands still during a turn.
uint64_t unixMicroseconds() noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

void moveToEnd(ngx_queue_t& queue, ngx_queue_t& link) noexcept {
    ngx_queue_remove(&link);
    ngx_queue_insert_tail(&queue, &link);
}

// A batch has been handed to all subscribers of its feed.
void count(const Batch& batch, ZoneCounters& counters) noexcept {
    const uint64_t now = unixMicroseconds();
    const uint64_t published = batch.time * 1000;
    counters.batches.observe(batch.events);
    counters.fanout.observe(now > published ? now - published : 0);
}

} // namespace

// A feed that has not heard of the last lap may have left records unread that lie after a break.
void Tail::beginRound(Feed& feed) noexcept {
    feed.inRound = true;
    if (feed.lap != lap_) {
        lose(feed);
    }
    for (FeedLink& link : std::span(feed.channels, feed.channelCount)) {
        tell(link);
    }
    refill(feed);
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
    if (feed.current) {
        count(*feed.current, *zone_->counters);
    }
    release(feed.current);
    LiveChannel& channel = *feed.runsFor;
    unschedule(feed);
    if (feed.fresh || feed.isBehind()) {
        schedule(feed, channel);
    }
}

// Channels take turns, and so do the feeds of each: a channel that thousands of feeds share keeps the others
// waiting no longer than one that has a single feed.
//
// Returns whether a subscriber is still waiting. A delivery may end any subscriber, not only its own, and
// with the last one the feed itself: so no pointer is kept across a delivery.
bool Tail::fanOut() noexcept {
    int deliveries = kDeliveries;
    while (!ngx_queue_empty(&turns_)) {
        LiveChannel& channel = *queueItem<LiveChannel>(ngx_queue_head(&turns_), offsetof(LiveChannel, turn));
        Feed& feed = *queueItem<Feed>(ngx_queue_head(&channel.runnable), offsetof(Feed, runnable));
        if (!feed.inRound) {
            beginRound(feed);
        }
        if (ngx_queue_empty(&feed.waiting)) {
            endRound(feed);
            continue;
        }
        if (deliveries-- == 0) {
            moveToEnd(channel.runnable, feed.runnable);
            moveToEnd(turns_, channel.turn);
            return true;
        }
        ngx_queue_t* link = ngx_queue_head(&feed.waiting);
        ngx_queue_remove(link);
        ngx_queue_insert_tail(&feed.ready, link);
        if (!ngx_queue_empty(&feed.waiting)) {
            __builtin_prefetch(Member::fromLink(ngx_queue_head(&feed.waiting)).firstRead);
        }
        Member& member = Member::fromLink(link);
        zone_->counters->handedOut.add(feed.current ? feed.current->events : 0);
        member.deliver(member, feed.current, feed.lost);
    }
    return false;
}

} // namespace sse
