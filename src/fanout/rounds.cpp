// Fan-out: hands each feed's batch to its subscribers, in slices.
#include "fanout/tail.hpp"

namespace sse {

namespace {

// Subscribers that are served in one turn of the event loop.
constexpr int kFanOutSubscribers = 128;

} // namespace

void Tail::beginRound(Feed& feed) noexcept {
    feed.inRound = true;
    feed.fresh = false;
    feed.lost = std::exchange(feed.freshLost, false);
    feed.current = takePending(feed);
    if (feed.lost) {
        feed.current.reset();
    }
    if (!ngx_queue_empty(&feed.ready)) {
        ngx_queue_add(&feed.waiting, &feed.ready);
        ngx_queue_init(&feed.ready);
    }
}

void Tail::endRound(Feed& feed) noexcept {
    feed.inRound = false;
    feed.current.reset();
    ngx_queue_remove(&feed.runnable);
    feed.scheduled = false;
    if (feed.fresh) {
        schedule(feed);
    }
}

// Returns whether somebody is still waiting. Handing out may end any subscriber, also others than the one at
// hand, and with the last one the feed itself: so nothing is held on to across a delivery.
bool Tail::fanOut() noexcept {
    int budget = kFanOutSubscribers;
    while (!ngx_queue_empty(&runnable_)) {
        Feed& feed = *queueItem<Feed>(ngx_queue_head(&runnable_), offsetof(Feed, runnable));
        if (!feed.inRound) {
            beginRound(feed);
        }
        if (ngx_queue_empty(&feed.waiting)) {
            endRound(feed);
            continue;
        }
        if (budget-- == 0) {
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
