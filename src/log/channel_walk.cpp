#include "log/channel_walk.hpp"

#include <algorithm>
#include <bit>

#include "log/assert.hpp"
#include "log/index.hpp"
#include "log/writer.hpp"

namespace sse {

namespace {

// Buckets that one part looks at, most of which may be empty: some hundredths of a millisecond.
constexpr uint32_t kBucketsPerPart = 1024;
// At least the number of steps back through a chain of 2^32 records: limits the walk if the chain is damaged.
constexpr int kMostSteps = 128;

constexpr uint64_t reversed(uint64_t bits) noexcept {
    bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
    bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0f) | (bits & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64(bits);
}
static_assert(reversed(1) == uint64_t{1} << 63 &&
              reversed(reversed(0x0123456789abcdef)) == 0x0123456789abcdef);

} // namespace

uint64_t walkPlace(uint64_t hash) noexcept {
    return reversed(hash);
}

uint64_t Log::walkKey() const noexcept {
    return hash({}); // of the name that no channel has
}

// The channels of a bucket that come at `place` or after it go into `room`, in order, as many of the first as
// fit. Returns how many; `more` is set if others do not fit.
size_t LogWriter::walkBucket(uint64_t place, std::span<WalkedChannel> room, bool& more) const noexcept {
    const Index index = this->index();
    size_t count = 0;
    for (uint32_t entry = index.firstOf(reversed(place)); entry != kNoEntry;
         entry = entries_[entry].nextInBucket) {
        SSE_ASSERT(entry < header_->used);
        const uint64_t own = walkPlace(entries_[entry].hash);
        if (own < place || !index.isInUse(entry)) {
            continue;
        }
        const auto end = room.begin() + static_cast<std::ptrdiff_t>(count);
        const auto at = std::find_if(room.begin(), end,
                                     [own](const WalkedChannel& channel) { return channel.place > own; });
        if (count == room.size()) {
            more = true;
            if (at == end) {
                continue;
            }
            std::move_backward(at, end - 1, end);
        } else {
            std::move_backward(at, end, end + 1);
            ++count;
        }
        *at = {own, stateOf(entry)};
    }
    return count;
}

WalkedPart LogWriter::walk(uint64_t from, std::span<WalkedChannel> room) noexcept {
    recover();
    const int shift = 64 - std::countr_zero(header_->buckets);
    size_t count = 0;
    for (uint32_t looked = 0; looked < kBucketsPerPart; ++looked) {
        bool more = false;
        const size_t found = walkBucket(from, room.subspan(count), more);
        count += found;
        if (more) {
            return {room.first(count), found != 0 ? room[count - 1].place + 1 : from};
        }
        const uint64_t next = (from >> shift) + 1;
        if (next == header_->buckets) {
            return {room.first(count), std::nullopt};
        }
        from = next << shift;
    }
    return {room.first(count), from};
}

// --- A channel's summary, without the lock ---

// From the newest record back to the oldest. Where a jump can be taken, the records that it skips are there,
// too.
uint32_t Log::retainedEvents(const ChannelState& state) const noexcept {
    uint64_t offset = state.newest;
    RecordHeader newest;
    if (offset == kNoOffset || readHeader(offset, newest) != ReadStatus::Ok) {
        return 0;
    }
    RecordHeader record = newest;
    for (int step = 0; step < kMostSteps; ++step) {
        bool isFound = false;
        for (const uint64_t back : {record.jump, record.previous}) {
            RecordHeader older;
            if (back < offset && readHeader(back, older) == ReadStatus::Ok && older.hash == newest.hash) {
                offset = back;
                record = older;
                isFound = true;
                break;
            }
        }
        if (!isFound) {
            break;
        }
    }
    return newest.place + countEvents(newest) - record.place;
}

bool Log::summarise(const ChannelState& state, ChannelSummary& summary) const noexcept {
    RecordHeader newest;
    if (state.newest == kNoOffset || readHeader(state.newest, newest) != ReadStatus::Ok ||
        newest.kind == RecordKind::Pad || newest.nameLength > kMaxChannelName ||
        !readPayload(state.newest, 0, newest.nameLength, summary.name)) {
        return false;
    }
    summary.nameLength = static_cast<uint8_t>(newest.nameLength);
    summary.hasEnded = endsChannel(newest);
    summary.time = newest.time;
    summary.mostEvents = newest.place + countEvents(newest);
    summary.newestId = newestEvent(newest);
    return true;
}

} // namespace sse
