// Feeds: subscribers join and leave them.
#include <algorithm>
#include <new>
#include <utility>

#include "conf/config.hpp"
#include "fanout/tail.hpp"
#include "log/assert.hpp"

namespace sse {

namespace {

template <typename F>
void eachLink(Feed& feed, F&& visit) noexcept {
    for (uint32_t i = 0; i < feed.channelCount; ++i) {
        visit(feed.channels[i]);
    }
}

// The same for any order of the channels. No client can choose it, because the hashes have a secret key.
uint64_t keyOf(std::span<LiveChannel* const> channels) noexcept {
    uint64_t key = 0;
    for (const LiveChannel* channel : channels) {
        key += channel->hash;
    }
    return key;
}

bool hasChannels(const Feed& feed, std::span<LiveChannel* const> channels) noexcept {
    std::span<const FeedLink> links(feed.channels, feed.channelCount);
    return links.size() == channels.size() &&
           std::all_of(channels.begin(), channels.end(), [links](const LiveChannel* channel) {
               return std::any_of(links.begin(), links.end(),
                                  [channel](const FeedLink& link) { return link.channel == channel; });
           });
}

} // namespace

uint64_t Feed::firstUnread() const noexcept {
    uint64_t first = kNoOffset;
    for (const FeedLink& link : std::span(channels, channelCount)) {
        first = std::min(first, tail->firstUnread(link));
    }
    return first;
}

bool Feed::ended() const noexcept {
    return !isBehind() && !freshLost &&
           std::all_of(channels, channels + channelCount,
                       [](const FeedLink& link) { return link.channel->ended; });
}

Tail::Join Tail::join(LogWriter& log, std::span<const std::string_view> names, Member& member) noexcept {
    LiveChannel* found[kMostChannels];
    Join status = Join::Ok;
    uint32_t count = 0;

    if (channels_.isEmpty()) {
        position_ = zone_->log.head(); // no subscriber here needs what came before
    }
    for (std::string_view name : names) {
        status = channels_.acquire(log, name, position_, found[count]);
        if (status != Join::Ok) {
            break;
        }
        ++count;
    }

    std::span<LiveChannel* const> set(found, count);
    Feed* feed = status == Join::Ok ? findOrMakeFeed(set) : nullptr;
    if (feed == nullptr) {
        for (LiveChannel* channel : set) {
            channels_.release(&log, channel);
        }
        return status == Join::Ok ? Join::NoMemory : status;
    }
    enter(log, *feed, member);
    if (isBehind()) {
        runSoon_(); // what came before we listened has not woken us
    }
    return Join::Ok;
}

Feed* Tail::findOrMakeFeed(std::span<LiveChannel* const> channels) noexcept {
    Feed* feed = findFeed(channels);
    return feed == nullptr ? makeFeed(channels) : feed;
}

// The reverse of leave().
void Tail::enter(LogWriter& log, Feed& feed, Member& member) noexcept {
    ++feed.subscribers;
    member.feed = &feed;
    ngx_queue_insert_tail(&feed.ready, &member.link);
    channels_.enter(log, feed);
}

void Tail::leave(Member& member) noexcept {
    Feed* feed = member.feed;
    SSE_ASSERT(feed->subscribers != 0);
    ngx_queue_remove(&member.link);
    member.feed = nullptr;
    --feed->subscribers;
    std::optional<ZoneLock> lock = ZoneLock::acquire(*zone_);
    LogWriter* log = lock ? &lock->log() : nullptr;
    channels_.leave(log, *feed);
    if (feed->subscribers == 0) {
        dropFeed(log, feed);
    }
}

Feed*& Tail::bucketOf(uint64_t key) noexcept {
    return buckets_[key % kFeedBuckets];
}

Feed* Tail::findFeed(std::span<LiveChannel* const> channels) noexcept {
    const uint64_t key = keyOf(channels);
    for (Feed* feed = bucketOf(key); feed != nullptr; feed = feed->nextInBucket) {
        if (feed->key == key && hasChannels(*feed, channels)) {
            return feed;
        }
    }
    return nullptr;
}

Feed* Tail::makeFeed(std::span<LiveChannel* const> channels) noexcept {
    size_t size = offsetof(Feed, channels) + channels.size() * sizeof(FeedLink);
    void* memory = ngx_calloc(std::max(size, sizeof(Feed)), ngx_cycle->log);
    if (memory == nullptr) {
        return nullptr;
    }
    auto* feed = new (memory) Feed{};
    feed->tail = this;
    feed->lap = lap_;
    feed->key = keyOf(channels);
    feed->nextInBucket = std::exchange(bucketOf(feed->key), feed);
    feed->channelCount = static_cast<uint32_t>(channels.size());
    ngx_queue_init(&feed->ready);
    ngx_queue_init(&feed->waiting);
    ngx_queue_insert_tail(&feeds_, &feed->all);
    for (uint32_t i = 0; i < feed->channelCount; ++i) {
        FeedLink& link = feed->channels[i];
        link.channel = channels[i];
        link.feed = feed;
        link.unread = kNoOffset;
        link.seen = rest_.offset; // a subscriber that joins reads up to the position by itself
        ngx_queue_insert_tail(&channels[i]->feeds, &link.inChannel);
        ++channels[i]->feedCount;
    }
    return feed;
}

void Tail::dropFeed(LogWriter* log, Feed* feed) noexcept {
    SSE_ASSERT(ngx_queue_empty(&feed->ready) && ngx_queue_empty(&feed->waiting));
    if (feed->runsFor != nullptr) {
        unschedule(*feed);
    }
    eachLink(*feed, [this, log](FeedLink& link) {
        ngx_queue_remove(&link.inChannel);
        --link.channel->feedCount;
        if (link.channel == rest_.channel && link.channel->feedCount == 0) {
            rest_ = {};
        }
        channels_.release(log, link.channel);
    });
    ngx_queue_remove(&feed->all);
    stopWaiting(*feed);
    Feed** place = &bucketOf(feed->key);
    while (*place != feed) {
        place = &(*place)->nextInBucket;
    }
    *place = feed->nextInBucket;
    release(feed->pending);
    release(feed->current);
    feed->~Feed();
    ngx_free(feed);
}

} // namespace sse
