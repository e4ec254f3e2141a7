#include "log/log.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "log/index.hpp"
#include "log/ring.hpp"
#include "sse/encode.hpp"

namespace sse {

Log::Log(LogHeader* header) noexcept : header_(header), entries_(entriesOf(header)), ring_(ringOf(header)) {}

Ring Log::ring(uint64_t end) const noexcept {
    return {header_, ring_, end};
}

size_t Log::overhead(uint32_t channels, uint64_t capacity) noexcept {
    return bytesBeforeRing(channels, capacity);
}

uint64_t Log::capacityIn(size_t memorySize, uint32_t channels) noexcept {
    const uint64_t capacity = largestCapacity(memorySize, channels);
    return capacity < kMinCapacity ? 0 : capacity;
}

std::optional<Log> Log::create(std::span<std::byte> memory, uint32_t channels, const SipKey& key,
                               uint64_t lineage, uint64_t nowMilliseconds) noexcept {
    if (lineage == 0 || lineage >= kLineages || channels == 0 || channels > kMaxChannels ||
        reinterpret_cast<uintptr_t>(memory.data()) % 8 != 0 || capacityIn(memory.size(), channels) == 0) {
        return std::nullopt;
    }
    LogHeader* const header = new (memory.data()) LogHeader{};
    const EventId birth{nowMilliseconds, lineage};

    header->capacity = capacityIn(memory.size(), channels);
    header->key = key;
    header->lineage.store(lineage, std::memory_order_relaxed);
    header->channels = channels;
    header->buckets = bucketsFor(channels);
    header->pendingLink = kNoOffset;
    header->lastId.store(birth);
    header->forgottenId.store(birth);
    header->census = 1;

    Log log{header};
    Index{header, log.entries_}.rebuild();
    std::fill_n(idBucketsOf(header), idBucketsFor(header->capacity), IdBucket{});
    header->magic.store(kMagic, std::memory_order_release);
    return log;
}

std::optional<Log> Log::attach(std::span<std::byte> memory) noexcept {
    if (memory.size() < sizeof(LogHeader) || reinterpret_cast<uintptr_t>(memory.data()) % 8 != 0) {
        return std::nullopt;
    }
    LogHeader* const header = reinterpret_cast<LogHeader*>(memory.data());
    if (header->magic.load(std::memory_order_acquire) != kMagic) {
        return std::nullopt;
    }
    const uint32_t channels = header->channels;
    if (channels == 0 || channels > kMaxChannels || header->buckets != bucketsFor(channels) ||
        header->capacity == 0 || header->capacity != capacityIn(memory.size(), channels)) {
        return std::nullopt;
    }
    return Log{header};
}

Log::Found Log::recognise(std::span<std::byte> memory) noexcept {
    if (attach(memory)) {
        return Found::Ours;
    }
    uint64_t magic = 0;
    if (memory.size() >= sizeof(magic)) {
        std::memcpy(&magic, memory.data(), sizeof(magic));
    }
    return magic >> kLayoutBits == kLogKind ? Found::OtherLayout : Found::Foreign;
}

bool Log::beganWithLoss() const noexcept {
    return header_->eventsLost.load(std::memory_order_relaxed) != 0;
}

uint64_t Log::lineage() const noexcept {
    return header_->lineage.load(std::memory_order_relaxed);
}

uint64_t Log::hash(std::string_view channel) const noexcept {
    return sipHash(header_->key, channel);
}

bool Log::couldHaveIssued(EventId id) const noexcept {
    return isOfLineage(id, lineage());
}

uint64_t Log::capacity() const noexcept {
    return header_->capacity;
}

uint64_t Log::maxRecord() const noexcept {
    return maxRecordLength(header_->capacity);
}

bool Log::fits(std::string_view channel, size_t publisherIdSize, size_t fieldsSize) const noexcept {
    const size_t idLine = IdLine::sizeOf(kMaxEventIdText, publisherIdSize);
    return channel.size() <= kMaxChannelName && idLine <= UINT16_MAX &&
           recordLength(channel.size(), idLine + fieldsSize) <= maxRecord();
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

// An offset that is newer than the id belongs to a break that the caller may take for one that comes later.
Break Log::newestBreak() const noexcept {
    const EventId id = header_->breakId.load();
    return {id, header_->breakOffset.load(std::memory_order_relaxed)};
}

ReadStatus Log::readHeader(uint64_t offset, RecordHeader& header) const noexcept {
    if (offset >= head()) {
        return ReadStatus::End;
    }
    if (!ring().holdsHeader(offset)) {
        return ReadStatus::Lapped;
    }
    header = ring().header(offset);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (header_->tail.load(std::memory_order_relaxed) > offset) {
        return ReadStatus::Lapped;
    }
    return ring().plausible(offset, header) ? ReadStatus::Ok : ReadStatus::Lapped;
}

bool Log::readPayload(uint64_t offset, size_t position, size_t length, char* out) const noexcept {
    const uint64_t rest = ring().rest(offset);
    if (position > rest || length > rest || sizeof(RecordHeader) + position + length > rest) {
        return false;
    }
    std::memcpy(out, ring().at(offset) + sizeof(RecordHeader) + position, length);
    std::atomic_thread_fence(std::memory_order_acquire);
    return header_->tail.load(std::memory_order_relaxed) <= offset;
}

bool Log::isLinked(uint64_t offset, uint64_t next) const noexcept {
    return next > offset && next < head() && ring().holdsHeader(next) && ring().previous(next) == offset;
}

bool Log::isNamed(uint64_t offset, const RecordHeader& header, std::string_view channel) const noexcept {
    char name[kMaxChannelName];
    return header.kind != RecordKind::Pad && header.nameLength == channel.size() &&
           channel.size() <= sizeof(name) && readPayload(offset, 0, channel.size(), name) &&
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
    return state.newest != kNoOffset && readHeader(state.newest, newest) == ReadStatus::Ok &&
           endsChannel(newest) && isNamed(state.newest, newest, channel);
}

// A record that does not link further back is damaged, and would lead into an endless loop.
bool Log::hasEvent(const ChannelState& state) const noexcept {
    RecordHeader record;
    uint64_t offset = state.newest;
    while (offset != kNoOffset && readHeader(offset, record) == ReadStatus::Ok) {
        if (record.kind == RecordKind::Event) {
            return true;
        }
        offset = record.previous < offset ? record.previous : kNoOffset;
    }
    return false;
}

// Used bytes, and how many events came before the oldest one, which is the oldest record or follows it soon.
// If that is damaged, or the ring keeps moving on meanwhile, the result is as if nothing could be read.
void Log::findOldest(LogStats& stats) const noexcept {
    constexpr int kLooks = 64;
    uint64_t tail = this->tail();
    uint64_t offset = tail;
    stats.evicted = header_->published.load(std::memory_order_relaxed);
    RecordHeader record;
    for (int look = 0; look < kLooks; ++look) {
        const ReadStatus status = readHeader(offset, record);
        if (status == ReadStatus::Lapped) {
            offset = tail = this->tail();
            stats.evicted = header_->published.load(std::memory_order_relaxed);
            continue;
        }
        if (status == ReadStatus::End) {
            break;
        }
        if (record.kind != RecordKind::Pad) {
            stats.evicted = record.number;
        }
        if (numberAfter(record) != record.number) {
            stats.firstId = record.id;
            break;
        }
        offset += record.length;
    }
    stats.used = std::min(head() - tail, header_->capacity);
}

LogStats Log::stats() const noexcept {
    LogStats stats{};
    findOldest(stats);
    stats.capacity = header_->capacity;
    stats.lastId = lastId();
    stats.published = std::max(header_->published.load(std::memory_order_relaxed), stats.evicted);
    stats.channels = header_->inUse.load(std::memory_order_relaxed);
    stats.channelCapacity = header_->channels;
    stats.forgottenChannels = header_->forgottenChannels.load(std::memory_order_relaxed);
    return stats;
}

} // namespace sse
