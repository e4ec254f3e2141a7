// Who listens to which channel: the log's calls on its index.
#include <algorithm>

#include "log/fault.hpp"
#include "log/layout.hpp"
#include "log/log.hpp"

namespace sse {

ChannelState Log::look(uint32_t entry) const noexcept {
    ChannelState state;
    state.head = header_->head.load(std::memory_order_relaxed);
    if (entry >= header_->used) {
        state.newestId = header_->forgottenId.load();
        return state;
    }
    const bool inRing = entries_[entry].newest >= header_->tail.load(std::memory_order_relaxed);
    state.entry = entry;
    state.newest = inRing ? entries_[entry].newest : kNoOffset;
    state.newestId = entries_[entry].newestId;
    state.subscribers = index().subscribers(entry);
    return state;
}

ChannelState Log::state(uint32_t entry) noexcept {
    recover();
    return look(entry);
}

ChannelState Log::find(uint64_t hash) noexcept {
    recover();
    return look(index().find(hash));
}

ChannelState Log::listen(uint64_t hash, uint32_t listener) noexcept {
    begin();
    const uint32_t entry = listener < kMaxListeners ? index().findOrMake(hash) : kNoEntry;
    if (entry != kNoEntry) {
        index().addListener(entry, listener);
    }
    end();
    return look(entry);
}

void Log::unlisten(uint32_t entry, uint32_t listener) noexcept {
    begin();
    if (entry < header_->used && listener < kMaxListeners) {
        index().removeListener(entry, listener);
    }
    end();
}

void Log::count(uint32_t entry, int32_t change) noexcept {
    recover();
    if (entry >= header_->used) {
        return;
    }
    const int64_t subscribers = int64_t{index().subscribers(entry)} + change;
    entries_[entry].subscribers = static_cast<uint32_t>(std::clamp<int64_t>(subscribers, 0, UINT32_MAX));
    faultPoint("count: new number");
    entries_[entry].census = header_->census.load(std::memory_order_relaxed);
    faultPoint("count: valid");
}

bool Log::forgetListener(uint32_t listener, uint32_t from, uint32_t count) noexcept {
    begin();
    const uint64_t until = std::min<uint64_t>(uint64_t{from} + count, header_->used);
    for (uint32_t entry = from; listener < kMaxListeners && entry < until; ++entry) {
        index().removeListener(entry, listener);
    }
    end();
    return until < header_->used;
}

void Log::beginCensus() noexcept {
    recover();
    header_->census.store(header_->census.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

} // namespace sse
