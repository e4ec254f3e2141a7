// Which workers listen to which channel: the writers' calls on the index.
#include <algorithm>
#include <cstring>

#include "log/assert.hpp"
#include "log/fault.hpp"
#include "log/index.hpp"
#include "log/replay.hpp"
#include "log/ring.hpp"
#include "log/writer.hpp"

namespace sse {

Index LogWriter::index() const noexcept {
    return {header_, entries_};
}

ChannelState LogWriter::stateOf(uint32_t entry) const noexcept {
    ChannelState state;
    state.head = header_->head.load(std::memory_order_relaxed);
    if (entry >= header_->used) {
        state.newestId = header_->forgottenId.load();
        return state;
    }
    const bool inRing = entries_[entry].newest >= header_->tail.load(std::memory_order_relaxed);
    SSE_ASSERT(!inRing || entries_[entry].newest == kNoOffset || ring().isInLog(entries_[entry].newest));
    state.entry = entry;
    state.newest = inRing ? entries_[entry].newest : kNoOffset;
    state.newestId = entries_[entry].newestId;
    state.subscribers = index().subscribers(entry);
    return state;
}

ChannelState LogWriter::channelAt(uint32_t entry) noexcept {
    recover();
    return stateOf(entry);
}

ChannelState LogWriter::findChannel(uint64_t hash) noexcept {
    recover();
    return stateOf(index().find(hash));
}

// The first event after the place before it.
bool LogWriter::findEvent(std::string_view channel, uint64_t hash, EventId id, uint64_t& offset,
                          RecordHeader& header) noexcept {
    const uint64_t before = id.sequence < kLineages ? 0 : id.sequence - kLineages;
    ReplayChannel channels[] = {{.name = channel, .hash = hash, .state = findChannel(hash)}};
    if (!isOfThisLife(id) || id > lastId()) {
        return false;
    }
    Replay replay(*this, channels, {id.milliseconds, before}, lastId(), {});
    ReplayEvent event;
    if (replay.seek(UINT32_MAX) != ReadStatus::Ok) {
        return false;
    }
    do {
        while (replay.next(kNoOffset, event) == ReadStatus::Ok) {
            if (event.header.kind == RecordKind::Event) {
                offset = event.offset;
                header = event.header;
                return header.id == id;
            }
        }
    } while (replay.passBreak(kNoOffset));
    return false;
}

bool LogWriter::holds(std::string_view channel, uint64_t hash, EventId id) noexcept {
    uint64_t offset;
    RecordHeader header;
    return findEvent(channel, hash, id, offset, header);
}

bool LogWriter::holds(std::string_view channel, uint64_t hash, EventId id, std::string_view fields) noexcept {
    uint64_t offset;
    RecordHeader header;
    if (!findEvent(channel, hash, id, offset, header) ||
        header.payloadLength - header.idLineLength != fields.size()) {
        return false;
    }
    size_t position = header.nameLength + size_t{header.idLineLength};
    while (!fields.empty()) {
        char piece[1024];
        const size_t length = std::min(fields.size(), sizeof(piece));
        if (!readPayload(offset, position, length, piece) || std::memcmp(piece, fields.data(), length) != 0) {
            return false;
        }
        fields.remove_prefix(length);
        position += length;
    }
    return true;
}

ChannelState LogWriter::listen(uint64_t hash, uint32_t listenerId) noexcept {
    beginChange();
    const uint32_t entry = listenerId < kMaxListeners ? index().findOrMake(hash) : kNoEntry;
    if (entry != kNoEntry) {
        index().addListener(entry, listenerId);
    }
    endChange();
    return stateOf(entry);
}

void LogWriter::unlisten(uint32_t entry, uint32_t listenerId) noexcept {
    beginChange();
    if (entry < header_->used && listenerId < kMaxListeners) {
        index().removeListeners(entry, setOf(listenerId));
    }
    endChange();
}

void LogWriter::addSubscribers(uint32_t entry, int32_t change) noexcept {
    recover();
    if (!index().isListenedTo(entry)) {
        return;
    }
    const int64_t subscribers = int64_t{index().announced(entry)} + change;
    entries_[entry].subscribers = static_cast<uint32_t>(std::clamp<int64_t>(subscribers, 0, UINT32_MAX));
    faultPoint("addSubscribers: new number");
    entries_[entry].census = header_->census.load(std::memory_order_relaxed);
    faultPoint("addSubscribers: valid");
}

bool LogWriter::forgetListeners(const ListenerSet& ids, uint32_t from, uint32_t count) noexcept {
    beginChange();
    const uint64_t until = std::min<uint64_t>(uint64_t{from} + count, header_->used);
    for (uint32_t entry = from; entry < until; ++entry) {
        index().removeListeners(entry, ids);
    }
    endChange();
    return until < header_->used;
}

void LogWriter::beginCensus() noexcept {
    recover();
    header_->census.store(header_->census.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

} // namespace sse
