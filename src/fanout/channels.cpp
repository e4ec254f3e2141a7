// Who listens: subscribers join and leave feeds, and the index of the zone learns of it.
#include <algorithm>
#include <cstring>
#include <new>

#include "fanout/tail.hpp"
#include "subscribe/subscriber.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

template <typename F>
void eachLink(Feed& feed, F&& visit) noexcept {
    for (uint32_t i = 0; i < feed.channelCount; ++i) {
        visit(feed.channels[i]);
    }
}

} // namespace

Tail::Join Tail::join(std::span<const std::string_view> names, Subscriber& subscriber) noexcept {
    LiveChannel* channels[kMostChannels];
    Join status = Join::Ok;
    uint32_t found = 0;

    if (liveCount_ == 0) {
        position_ = zone_->log.head(); // nobody here cared for what was before
    }
    for (std::string_view name : names) {
        status = listen(name, channels[found]);
        if (status != Join::Ok) {
            break;
        }
        ++found;
    }

    std::span<LiveChannel* const> set(channels, found);
    Feed* feed = status == Join::Ok ? findOrMakeFeed(set) : nullptr;
    if (feed == nullptr) {
        for (LiveChannel* channel : set) {
            dropChannel(channel);
        }
        return status == Join::Ok ? Join::NoMemory : status;
    }
    enter(*feed, subscriber);
    if (behind()) {
        Worker::self().runSoon(); // what came before our mark was there has woken nobody
    }
    return Join::Ok;
}

// Marks this worker as a listener, then finds or makes the channel of that name.
Tail::Join Tail::listen(std::string_view name, LiveChannel*& channel) noexcept {
    uint64_t hash = zone_->log.hash(name);
    ChannelState state;
    {
        ZoneLock lock(*zone_);
        state = zone_->log.listen(hash, Worker::self().registry().mark());
    }
    if (state.entry == kNoEntry) {
        return Join::IndexFull;
    }
    channel = findChannel(state.entry, name);
    if (channel == nullptr) {
        channel = makeChannel(state, hash, name);
    }
    return channel == nullptr ? Join::NoMemory : Join::Ok;
}

Feed* Tail::findOrMakeFeed(std::span<LiveChannel* const> channels) noexcept {
    Feed* feed = findFeed(channels);
    return feed == nullptr ? makeFeed(channels) : feed;
}

// The reverse of leave().
void Tail::enter(Feed& feed, Subscriber& subscriber) noexcept {
    ++feed.subscribers;
    subscriber.feed_ = &feed;
    ngx_queue_insert_tail(&feed.ready, &subscriber.feedLink_);
    ZoneLock lock(*zone_);
    eachLink(feed, [this](FeedLink& link) {
        ++link.channel->subscribers;
        announce(*link.channel);
    });
}

void Tail::leave(Subscriber& subscriber) noexcept {
    Feed* feed = subscriber.feed_;
    ngx_queue_remove(&subscriber.feedLink_);
    subscriber.feed_ = nullptr;
    --feed->subscribers;
    {
        ZoneLock lock(*zone_);
        eachLink(*feed, [this](FeedLink& link) {
            --link.channel->subscribers;
            announce(*link.channel);
        });
    }
    if (feed->subscribers == 0) {
        dropFeed(feed);
    }
}

// The zone's lock is held.
void Tail::announce(LiveChannel& channel) noexcept {
    uint32_t census = zone_->log.census();
    if (channel.census != census) {
        channel.census = census;
        channel.announced = 0;
    }
    if (channel.subscribers != channel.announced) {
        zone_->log.count(channel.entry, static_cast<int32_t>(channel.subscribers - channel.announced));
        channel.announced = channel.subscribers;
    }
}

// Visits them with the zone's lock held, which is let go in between.
template <typename F>
void Tail::eachChannel(F&& visit) noexcept {
    uint32_t entries = zone_->log.figures().channelCapacity;
    for (uint32_t entry = 0; liveCount_ != 0 && entry < entries; ++entry) {
        for (LiveChannel* channel = live_[entry]; channel != nullptr; channel = channel->sameEntry) {
            ZoneLock lock(*zone_);
            visit(*channel);
        }
    }
}

void Tail::answerCensus() noexcept {
    uint32_t census = zone_->log.census();
    if (census == answered_) {
        return;
    }
    answered_ = census;
    eachChannel([this](LiveChannel& channel) { announce(channel); });
}

// The mark that has held their entries until now is still there, so they stay where they are.
void Tail::listenAs(uint32_t mark) noexcept {
    eachChannel([this, mark](LiveChannel& channel) { zone_->log.listen(channel.hash, mark); });
}

LiveChannel* Tail::findChannel(uint32_t entry, std::string_view name) noexcept {
    LiveChannel* channel = live_[entry];
    while (channel != nullptr && channel->nameView() != name) {
        channel = channel->sameEntry;
    }
    return channel;
}

LiveChannel* Tail::makeChannel(const ChannelState& state, uint64_t hash, std::string_view name) noexcept {
    auto* channel =
        static_cast<LiveChannel*>(ngx_calloc(offsetof(LiveChannel, name) + name.size(), ngx_cycle->log));
    if (channel == nullptr) {
        unlisten(state.entry);
        return nullptr;
    }
    channel->hash = hash;
    channel->entry = state.entry;
    channel->census = zone_->log.census();
    channel->nameLength = static_cast<uint8_t>(name.size());
    std::memcpy(channel->name, name.data(), name.size());
    ngx_queue_init(&channel->feeds);

    reviewEnd(*channel, state);

    channel->sameEntry = live_[state.entry];
    live_[state.entry] = channel;
    ++liveCount_;
    return channel;
}

// An end that has not been looked at yet comes behind the events before it. One that is not in the ring any
// more was an end all the same, unless the channel has lived again since.
void Tail::reviewEnd(LiveChannel& channel, const ChannelState& state) const noexcept {
    if (state.newest == kNoOffset) {
        channel.ended = channel.ended && state.newestId == channel.lastId;
        return;
    }
    channel.ended = state.newest < position_ && zone_->log.hasEnded(state, channel.nameView());
    channel.lastId = state.newestId;
}

void Tail::reviewEnds() noexcept {
    eachChannel([this](LiveChannel& channel) { reviewEnd(channel, zone_->log.state(channel.entry)); });
}

// Takes our mark back from an entry of which we have no channel any more. A mark that many workers share
// cannot be taken back by one of them.
void Tail::unlisten(uint32_t entry) noexcept {
    if (live_[entry] == nullptr && Worker::self().registry().hasOwnMark()) {
        ZoneLock lock(*zone_);
        zone_->log.unlisten(entry, Worker::self().registry().mark());
    }
}

// Frees a channel that no feed has any more.
void Tail::dropChannel(LiveChannel* channel) noexcept {
    if (channel->feedCount != 0) {
        return;
    }
    LiveChannel** place = &live_[channel->entry];
    while (*place != channel) {
        place = &(*place)->sameEntry;
    }
    *place = channel->sameEntry;
    --liveCount_;
    unlisten(channel->entry);
    ngx_free(channel);
}

// Looks among the feeds of that channel which has the fewest: where a private channel and one for all go
// together, the private one has a single feed.
Feed* Tail::findFeed(std::span<LiveChannel* const> channels) noexcept {
    LiveChannel* rarest = *std::min_element(channels.begin(), channels.end(),
                                            [](auto* a, auto* b) { return a->feedCount < b->feedCount; });
    for (ngx_queue_t* q = ngx_queue_head(&rarest->feeds); q != ngx_queue_sentinel(&rarest->feeds);
         q = ngx_queue_next(q)) {
        Feed* feed = queueItem<FeedLink>(q, offsetof(FeedLink, inChannel))->feed;
        if (feed->channelCount != channels.size()) {
            continue;
        }
        bool same = std::all_of(channels.begin(), channels.end(), [feed](LiveChannel* channel) {
            return std::any_of(feed->channels, feed->channels + feed->channelCount,
                               [channel](const FeedLink& link) { return link.channel == channel; });
        });
        if (same) {
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
    feed->next = position_;
    feed->channelCount = static_cast<uint32_t>(channels.size());
    ngx_queue_init(&feed->ready);
    ngx_queue_init(&feed->waiting);
    ngx_queue_insert_tail(&feeds_, &feed->all);
    for (uint32_t i = 0; i < feed->channelCount; ++i) {
        FeedLink& link = feed->channels[i];
        link.channel = channels[i];
        link.feed = feed;
        ngx_queue_insert_tail(&channels[i]->feeds, &link.inChannel);
        ++channels[i]->feedCount;
    }
    return feed;
}

void Tail::dropFeed(Feed* feed) noexcept {
    eachLink(*feed, [this](FeedLink& link) {
        ngx_queue_remove(&link.inChannel);
        --link.channel->feedCount;
        dropChannel(link.channel);
    });
    ngx_queue_remove(&feed->all);
    if (feed->queued) {
        ngx_queue_remove(&feed->runnable);
    }
    takePending(*feed);
    feed->~Feed();
    ngx_free(feed);
}

} // namespace sse
