#include "fanout/channels.hpp"

#include <algorithm>
#include <cstring>

#include "log/assert.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// The most that one slice of settle() looks at: entries, and of these the ones with channels.
constexpr uint32_t kSettleEntries = 16 * 1024;
constexpr uint32_t kSettleChannels = 128;

} // namespace

bool ChannelTable::init(Zone& zone, Registry& registry) noexcept {
    zone_ = &zone;
    registry_ = &registry;
    entries_ = zone.log.stats().channelCapacity;
    live_ = static_cast<LiveChannel**>(ngx_calloc(entries_ * sizeof(LiveChannel*), ngx_cycle->log));
    return live_ != nullptr;
}

ChannelTable::Status ChannelTable::acquire(LogWriter& log, std::string_view name, uint64_t position,
                                           LiveChannel*& channel) noexcept {
    uint64_t hash = log.hash(name);
    ChannelState state = listen(log, hash);
    if (state.entry == kNoEntry) {
        return Status::IndexFull;
    }
    channel = find(state.entry, name);
    if (channel == nullptr) {
        channel = make(state, hash, name, position);
    }
    if (channel == nullptr) {
        unlisten(log, state.entry);
        return Status::NoMemory;
    }
    return Status::Ok;
}

bool ChannelTable::isChangingId() const noexcept {
    return alsoAs_ != kMaxListeners && alsoAs_ != registry_->listenerId();
}

ChannelState ChannelTable::listen(LogWriter& log, uint64_t hash) const noexcept {
    if (isChangingId()) {
        log.listen(hash, alsoAs_);
    }
    return log.listen(hash, registry_->listenerId());
}

void ChannelTable::announce(LogWriter& log, LiveChannel& channel) noexcept {
    uint32_t census = log.census();
    if (channel.census != census) {
        channel.census = census;
        channel.announced = 0;
    }
    if (channel.subscribers != channel.announced) {
        log.addSubscribers(channel.entry, static_cast<int32_t>(channel.subscribers - channel.announced));
        channel.announced = channel.subscribers;
    }
}

void ChannelTable::count(LogWriter* log, Feed& feed, int32_t change) noexcept {
    if (log == nullptr) {
        owe();
    }
    for (uint32_t i = 0; i < feed.channelCount; ++i) {
        LiveChannel& channel = *feed.channels[i].channel;
        SSE_ASSERT(change > 0 || channel.subscribers != 0);
        channel.subscribers += static_cast<uint32_t>(change);
        if (log != nullptr) {
            announce(*log, channel);
        }
    }
}

bool ChannelTable::settle() noexcept {
    if (uint32_t census = zone_->log.census(); census != answered_) {
        answered_ = census;
        owe();
    }
    if (count_ == 0) {
        due_ = 0;
    }
    if (due_ == 0) {
        return false;
    }
    std::optional<ZoneLock> lock = ZoneLock::acquire(*zone_);
    if (!lock) {
        return false; // another time
    }
    uint32_t paid = 0;
    for (uint32_t looked = 0; due_ != 0 && looked < kSettleEntries && paid < kSettleChannels; ++looked) {
        if (live_[next_] != nullptr) {
            pay(lock->log(), next_);
            ++paid;
        }
        next_ = next_ + 1 < entries_ ? next_ + 1 : 0;
        --due_;
    }
    return due_ != 0;
}

// Tells the index all that it may be owed for the channels of an entry.
void ChannelTable::pay(LogWriter& log, uint32_t entry) noexcept {
    for (LiveChannel* channel = live_[entry]; channel != nullptr;) {
        LiveChannel* other = channel->sameEntry;
        if (isChangingId()) {
            log.listen(channel->hash, alsoAs_);
        }
        announce(log, *channel);
        if (channel->feedCount == 0) {
            drop(log, channel);
        }
        channel = other;
    }
}

// The listener id that has kept their entries until now is still there, so the entries stay.
bool ChannelTable::listenAs(uint32_t listenerId) noexcept {
    if (alsoAs_ != listenerId) {
        alsoAs_ = listenerId;
        owe();
    }
    settle();
    return due_ == 0;
}

LiveChannel* ChannelTable::find(uint32_t entry, std::string_view name) noexcept {
    LiveChannel* channel = live_[entry];
    while (channel != nullptr && channel->nameView() != name) {
        channel = channel->sameEntry;
    }
    return channel;
}

LiveChannel* ChannelTable::make(const ChannelState& state, uint64_t hash, std::string_view name,
                                uint64_t position) noexcept {
    auto* channel =
        static_cast<LiveChannel*>(ngx_calloc(offsetof(LiveChannel, name) + name.size(), ngx_cycle->log));
    if (channel == nullptr) {
        return nullptr;
    }
    channel->hash = hash;
    channel->entry = state.entry;
    channel->census = zone_->log.census();
    channel->nameLength = static_cast<uint8_t>(name.size());
    std::memcpy(channel->name, name.data(), name.size());
    ngx_queue_init(&channel->feeds);
    ngx_queue_init(&channel->runnable);

    reviewEnd(*channel, state, position);

    channel->sameEntry = live_[state.entry];
    live_[state.entry] = channel;
    ++count_;
    return channel;
}

// An end that has not been read yet does not count: the events before it come first. An end that is no longer
// in the ring still counts, unless the channel has lived again since.
void ChannelTable::reviewEnd(LiveChannel& channel, const ChannelState& state,
                             uint64_t position) const noexcept {
    if (state.newest == kNoOffset) {
        channel.ended = channel.ended && state.newestId == channel.lastId;
        return;
    }
    channel.ended = state.newest < position && zone_->log.hasEnded(state, channel.nameView());
    channel.lastId = state.newestId;
}

// Removes our listener ids from an entry that none of our channels has any more. An id that many workers
// share cannot be removed by one of them.
void ChannelTable::unlisten(LogWriter& log, uint32_t entry) noexcept {
    if (live_[entry] != nullptr) {
        return;
    }
    for (const uint32_t id : {registry_->listenerId(), alsoAs_}) {
        if (Registry::isExclusive(id)) {
            log.unlisten(entry, id);
        }
    }
}

// Without the lock the channel stays, and a subscriber may come back to it.
void ChannelTable::release(LogWriter* log, LiveChannel* channel) noexcept {
    if (channel->feedCount != 0) {
        return;
    }
    SSE_ASSERT(channel->subscribers == 0);
    if (log != nullptr) {
        drop(*log, channel);
    } else {
        owe();
    }
}

void ChannelTable::drop(LogWriter& log, LiveChannel* channel) noexcept {
    LiveChannel** place = &live_[channel->entry];
    while (*place != channel) {
        place = &(*place)->sameEntry;
    }
    *place = channel->sameEntry;
    --count_;
    unlisten(log, channel->entry);
    ngx_free(channel);
}

} // namespace sse
