#include "fanout/channels.hpp"

#include <algorithm>
#include <cstring>

#include "log/assert.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// What one slice of a census looks at: entries, and channels with the lock held.
constexpr uint32_t kCensusEntries = 4096;
constexpr uint32_t kCensusChannels = 256;

} // namespace

bool ChannelTable::init(Zone& zone, Registry& registry) noexcept {
    zone_ = &zone;
    registry_ = &registry;
    entries_ = zone.log.stats().channelCapacity;
    live_ = static_cast<LiveChannel**>(ngx_calloc(entries_ * sizeof(LiveChannel*), ngx_cycle->log));
    return live_ != nullptr;
}

ChannelTable::Status ChannelTable::acquire(std::string_view name, uint64_t position,
                                           LiveChannel*& channel) noexcept {
    uint64_t hash = zone_->log.hash(name);
    ChannelState state;
    {
        ZoneLock lock(*zone_);
        state = lock.log().listen(hash, registry_->listenerId());
    }
    if (state.entry == kNoEntry) {
        return Status::IndexFull;
    }
    channel = find(state.entry, name);
    if (channel == nullptr) {
        channel = make(state, hash, name, position);
    }
    return channel == nullptr ? Status::NoMemory : Status::Ok;
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

// Calls visit(log, channel) for each channel, with the zone's lock held, which is released in between.
template <typename F>
void ChannelTable::each(F&& visit) noexcept {
    for (uint32_t entry = 0; count_ != 0 && entry < entries_; ++entry) {
        for (LiveChannel* channel = live_[entry]; channel != nullptr; channel = channel->sameEntry) {
            ZoneLock lock(*zone_);
            visit(lock.log(), *channel);
        }
    }
}

// A channel that comes while a census goes on is announced by its subscribers.
bool ChannelTable::answerCensus() noexcept {
    const uint32_t census = zone_->log.census();
    if (census != census_) {
        census_ = census;
        answered_ = 0;
    }
    if (count_ == 0) {
        answered_ = entries_;
    }
    if (answered_ == entries_) {
        return false;
    }
    const uint32_t until = std::min(entries_, answered_ + kCensusEntries);
    ZoneLock lock(*zone_);
    for (uint32_t channels = 0; answered_ != until && channels < kCensusChannels; ++answered_) {
        for (LiveChannel* channel = live_[answered_]; channel != nullptr; channel = channel->sameEntry) {
            announce(lock.log(), *channel);
            ++channels;
        }
    }
    return answered_ != entries_;
}

// The listener id that has kept their entries until now is still there, so the entries stay.
void ChannelTable::listenAs(uint32_t listenerId) noexcept {
    each([listenerId](LogWriter& log, LiveChannel& channel) { log.listen(channel.hash, listenerId); });
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
        unlisten(state.entry);
        return nullptr;
    }
    channel->hash = hash;
    channel->entry = state.entry;
    channel->census = zone_->log.census();
    channel->nameLength = static_cast<uint8_t>(name.size());
    std::memcpy(channel->name, name.data(), name.size());
    ngx_queue_init(&channel->feeds);

    reviewEnd(*channel, state, position);

    channel->sameEntry = live_[state.entry];
    live_[state.entry] = channel;
    ++count_;
    return channel;
}

// An end that has not been read yet comes after the events before it. An end that is no longer in the ring
// still counts, unless the channel has lived again since.
void ChannelTable::reviewEnd(LiveChannel& channel, const ChannelState& state,
                             uint64_t position) const noexcept {
    if (state.newest == kNoOffset) {
        channel.ended = channel.ended && state.newestId == channel.lastId;
        return;
    }
    channel.ended = state.newest < position && zone_->log.hasEnded(state, channel.nameView());
    channel.lastId = state.newestId;
}

// Removes our listener id from an entry for which this worker has no channel left. An id that many workers
// share cannot be removed by one of them.
void ChannelTable::unlisten(uint32_t entry) noexcept {
    if (live_[entry] == nullptr && registry_->hasExclusiveId()) {
        ZoneLock lock(*zone_);
        lock.log().unlisten(entry, registry_->listenerId());
    }
}

void ChannelTable::release(LiveChannel* channel) noexcept {
    if (channel->feedCount != 0) {
        return;
    }
    SSE_ASSERT(channel->subscribers == 0);
    LiveChannel** place = &live_[channel->entry];
    while (*place != channel) {
        place = &(*place)->sameEntry;
    }
    *place = channel->sameEntry;
    --count_;
    unlisten(channel->entry);
    ngx_free(channel);
}

} // namespace sse
