#include "log/log.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "log/fault.hpp"
#include "log/layout.hpp"
#include "log/ring.hpp"

namespace sse {

namespace {

constexpr uint32_t kMaxChannels = uint32_t{1} << 30;

uint32_t bucketsFor(uint32_t channels) noexcept {
    return std::bit_ceil(std::max(channels, uint32_t{2}));
}

} // namespace

Log::Log(ZoneHeader* header, IndexEntry* entries, std::byte* ring) noexcept
    : header_(header), entries_(entries), ring_(ring) {}

Ring Log::ring() const noexcept {
    return {header_, ring_};
}

Index Log::index() const noexcept {
    return {header_, entries_, ring_};
}

size_t Log::overhead(uint32_t channels) noexcept {
    return sizeof(ZoneHeader) + bucketsFor(std::min(channels, kMaxChannels)) * sizeof(uint32_t) +
           channels * sizeof(IndexEntry);
}

std::optional<Log> Log::create(std::span<std::byte> memory, uint32_t channels, const SipKey& key,
                               uint64_t mark, uint64_t nowMilliseconds) noexcept {
    if (mark == 0 || mark >= kMarks || channels == 0 || channels > kMaxChannels ||
        reinterpret_cast<uintptr_t>(memory.data()) % 8 != 0 ||
        memory.size() < overhead(channels) + kMinCapacity) {
        return std::nullopt;
    }
    ZoneHeader* const zone = new (memory.data()) ZoneHeader{};
    const EventId birth{nowMilliseconds, mark};

    zone->capacity = (memory.size() - overhead(channels)) / 8 * 8;
    zone->key = key;
    zone->mark = mark;
    zone->channels = channels;
    zone->buckets = bucketsFor(channels);
    zone->pendingLink = kNoOffset;
    zone->lastId.store(birth);
    zone->forgottenId.store(birth);
    zone->census = 1;

    uint32_t* const buckets = reinterpret_cast<uint32_t*>(zone + 1);
    IndexEntry* const entries = reinterpret_cast<IndexEntry*>(buckets + zone->buckets);
    Log log{zone, entries, reinterpret_cast<std::byte*>(entries + channels)};
    log.index().rebuild();
    zone->magic.store(kMagic, std::memory_order_release);
    return log;
}

std::optional<Log> Log::attach(std::span<std::byte> memory) noexcept {
    if (memory.size() < sizeof(ZoneHeader) || reinterpret_cast<uintptr_t>(memory.data()) % 8 != 0) {
        return std::nullopt;
    }
    ZoneHeader* const zone = reinterpret_cast<ZoneHeader*>(memory.data());
    if (zone->magic.load(std::memory_order_acquire) != kMagic || zone->channels == 0 ||
        zone->channels > kMaxChannels || zone->buckets != bucketsFor(zone->channels) ||
        memory.size() < overhead(zone->channels) + kMinCapacity ||
        zone->capacity != (memory.size() - overhead(zone->channels)) / 8 * 8) {
        return std::nullopt;
    }
    uint32_t* const buckets = reinterpret_cast<uint32_t*>(zone + 1);
    IndexEntry* const entries = reinterpret_cast<IndexEntry*>(buckets + zone->buckets);
    return Log{zone, entries, reinterpret_cast<std::byte*>(entries + zone->channels)};
}

Log::Found Log::recognise(std::span<std::byte> memory) noexcept {
    if (attach(memory)) {
        return Found::Ours;
    }
    uint64_t magic = 0;
    if (memory.size() >= sizeof(magic)) {
        std::memcpy(&magic, memory.data(), sizeof(magic));
    }
    return magic >> kLayoutBits == kKind ? Found::OtherLayout : Found::Foreign;
}

void Log::noteLoss() noexcept {
    header_->eventsLost = 1;
}

bool Log::beganWithLoss() const noexcept {
    return header_->eventsLost != 0;
}

uint64_t Log::hash(std::string_view channel) const noexcept {
    return sipHash(header_->key, channel);
}

bool Log::mayHaveGiven(EventId id) const noexcept {
    return isMarked(id, header_->mark);
}

uint64_t Log::capacity() const noexcept {
    return header_->capacity;
}

uint64_t Log::maxRecord() const noexcept {
    // RecordHeader::length has 32 bits, and the record may be made longer by less than a header.
    return std::min<uint64_t>(header_->capacity / 4, UINT32_MAX - sizeof(RecordHeader)) / 8 * 8;
}

uint32_t Log::census() const noexcept {
    return header_->census.load(std::memory_order_relaxed);
}

uint64_t Log::head() const noexcept {
    return header_->head.load(std::memory_order_acquire);
}

uint64_t Log::tail() const noexcept {
    return header_->tail.load(std::memory_order_acquire);
}

EventId Log::lastId() const noexcept {
    return header_->lastId.load();
}

ReadStatus Log::read(uint64_t offset, RecordHeader& header) const noexcept {
    if (offset >= head()) {
        return ReadStatus::End;
    }
    header = ring().header(offset);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (header_->tail.load(std::memory_order_relaxed) > offset) {
        return ReadStatus::Lapped;
    }
    return ring().plausible(offset, header) ? ReadStatus::Ok : ReadStatus::Lapped;
}

bool Log::copy(uint64_t offset, size_t position, size_t length, char* out) const noexcept {
    const uint64_t rest = ring().rest(offset);
    if (position > rest || length > rest || sizeof(RecordHeader) + position + length > rest) {
        return false;
    }
    std::memcpy(out, ring().at(offset) + sizeof(RecordHeader) + position, length);
    std::atomic_thread_fence(std::memory_order_acquire);
    return header_->tail.load(std::memory_order_relaxed) <= offset;
}

bool Log::isNamed(uint64_t offset, const RecordHeader& header, std::string_view channel) const noexcept {
    char name[kMaxName];
    return header.kind != RecordKind::Pad && header.nameLength == channel.size() &&
           channel.size() <= sizeof(name) && copy(offset, 0, channel.size(), name) &&
           std::memcmp(name, channel.data(), channel.size()) == 0;
}

Match Log::match(uint64_t offset, const RecordHeader& header, std::string_view channel) const noexcept {
    if (isNamed(offset, header, channel)) {
        return Match::Yes;
    }
    return tail() > offset ? Match::Lapped : Match::No;
}

bool Log::hasEnded(const ChannelState& state, std::string_view channel) const noexcept {
    RecordHeader newest;
    return state.newest != kNoOffset && read(state.newest, newest) == ReadStatus::Ok &&
           newest.kind == RecordKind::End && isNamed(state.newest, newest, channel);
}

// The oldest event that can be read, and the tail when it was. At most the second record is one, unless the
// ring moves on meanwhile; where a record is damaged no look finds one.
bool Log::findOldest(uint64_t& tail, RecordHeader& oldest) const noexcept {
    constexpr int kLooks = 64;
    uint64_t offset = tail = this->tail();
    for (int look = 0; look < kLooks; ++look) {
        const ReadStatus status = read(offset, oldest);
        if (status == ReadStatus::End) {
            return false;
        }
        if (status == ReadStatus::Lapped) {
            offset = tail = this->tail();
        } else if (oldest.kind == RecordKind::Pad) {
            offset += oldest.length;
        } else {
            return true;
        }
    }
    return false;
}

LogFigures Log::figures() const noexcept {
    LogFigures figures{};
    uint64_t tail;
    RecordHeader oldest;

    // The oldest event knows how many came before it.
    if (findOldest(tail, oldest)) {
        figures.evicted = oldest.number;
        figures.firstId = oldest.id;
    } else {
        figures.evicted = header_->published.load(std::memory_order_relaxed);
    }
    figures.capacity = header_->capacity;
    figures.used = std::min(head() - tail, figures.capacity);
    figures.lastId = lastId();
    figures.published = std::max(header_->published.load(std::memory_order_relaxed), figures.evicted);
    figures.channels = header_->inUse.load(std::memory_order_relaxed);
    figures.channelCapacity = header_->channels;
    figures.forgottenChannels = header_->forgottenChannels.load(std::memory_order_relaxed);
    return figures;
}

} // namespace sse
