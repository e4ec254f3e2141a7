// Finding events by the ids that their publishers gave them, in a table: from the hash of channel and id to
// the offset of the newest record.
//
// The table is bounded, and forgets: a key has two buckets to lie in, and takes the place of the oldest
// record there (Azar, Broder, Karlin, Upfal: "Balanced allocations"). So none of the newest ids is driven
// out, up to 60% of the slots. A slot is only a hint: what counts is whether the record that it leads to is
// in the ring and has that channel and that id. So nothing is taken out when records go, and it does not
// matter whether a dead writer has come to write the slot.
#include <algorithm>
#include <cstring>
#include <tuple>

#include "log/fault.hpp"
#include "log/ring.hpp"
#include "log/writer.hpp"
#include "sse/encode.hpp"

namespace sse {

namespace {

constexpr int kTagShift = 56;
constexpr uint64_t kPlaceMask = (uint64_t{1} << kTagShift) - 1;

uint64_t slotFor(uint64_t key, uint64_t offset) noexcept {
    return key << kTagShift | (offset / 8 + 1);
}
bool hasTagOf(uint64_t key, uint64_t slot) noexcept {
    return (slot ^ slotFor(key, 0)) >> kTagShift == 0;
}
// No record if the slot is 0.
uint64_t offsetOf(uint64_t slot) noexcept {
    return ((slot & kPlaceMask) - 1) * 8;
}

// The channel's hash is a secret, too.
uint64_t keyOf(const SipKey& secret, uint64_t hash, std::string_view publisherId) noexcept {
    return sipHash({secret[0] ^ hash, secret[1]}, publisherId);
}

// The slots in which a key may lie: those of two buckets.
class Slots {
public:
    static constexpr size_t kCount = 2 * std::tuple_size_v<decltype(IdBucket::slots)>;

    Slots(LogHeader* header, uint64_t key) noexcept
        : buckets_{bucket(header, key >> 32), bucket(header, key & UINT32_MAX)} {}

    uint64_t load(size_t i) const noexcept { return word(i).load(std::memory_order_relaxed); }
    void store(size_t i, uint64_t slot) const noexcept { word(i).store(slot, std::memory_order_relaxed); }

private:
    static IdBucket* bucket(LogHeader* header, uint64_t half) noexcept {
        return idBucketsOf(header) + (half * idBucketsFor(header->capacity) >> 32);
    }
    std::atomic_ref<uint64_t> word(size_t i) const noexcept {
        return std::atomic_ref(buckets_[i / (kCount / 2)]->slots[i % (kCount / 2)]);
    }

    IdBucket* buckets_[2];
};

// Where the publisher's id begins in the id line of a record: "id: <id>~<publisher's id>\n".
size_t startOfPublisherId(EventId id) noexcept {
    char text[kMaxEventIdText];
    return IdLine::kField.size() + formatEventId(id, text) + 1;
}

} // namespace

bool Log::isCalled(uint64_t offset, const RecordHeader& header, std::string_view publisherId) const noexcept {
    const size_t start = startOfPublisherId(header.id);
    if ((header.flags & kHasPublisherId) == 0 || header.idLineLength != start + publisherId.size() + 1) {
        return false;
    }
    size_t position = header.nameLength + start;
    while (!publisherId.empty()) {
        char piece[256];
        const size_t length = std::min(publisherId.size(), sizeof(piece));
        if (!readPayload(offset, position, length, piece) ||
            std::memcmp(piece, publisherId.data(), length) != 0) {
            return false;
        }
        publisherId.remove_prefix(length);
        position += length;
    }
    return true;
}

// The id of the record to which a slot leads, if it is that channel's and its publisher gave it that id.
std::optional<EventId> Log::lookAt(uint64_t slot, std::string_view channel,
                                   std::string_view publisherId) const noexcept {
    const uint64_t offset = offsetOf(slot);
    RecordHeader record;
    const bool isRight = readHeader(offset, record) == ReadStatus::Ok && isNamed(offset, record, channel) &&
                         isCalled(offset, record, publisherId);
    return isRight ? std::optional(record.id) : std::nullopt;
}

std::optional<EventId> Log::findPublisherId(std::string_view channel, uint64_t hash,
                                            std::string_view publisherId) const noexcept {
    const uint64_t key = keyOf(header_->key, hash, publisherId);
    const Slots slots{header_, key};
    std::optional<EventId> newest;
    for (size_t i = 0; i < Slots::kCount; ++i) {
        const uint64_t slot = slots.load(i);
        if (hasTagOf(key, slot)) {
            newest = std::max(newest, lookAt(slot, channel, publisherId));
        }
    }
    return newest;
}

// The record takes the slot of the one that had the same id in its channel, or of the oldest. If it has one
// already, because a writer died here, it takes that.
void LogWriter::addPublisherId(uint64_t offset, const RecordHeader& record) const noexcept {
    const char* const text = ring().at(offset) + sizeof(RecordHeader);
    const std::string_view channel{text, record.nameLength};
    const std::string_view idLine{text + record.nameLength, record.idLineLength};
    const size_t start = idLine.find('~') + 1;
    if (start == 0 || start == idLine.size()) {
        return; // spoilt
    }
    const std::string_view publisherId{idLine.data() + start, idLine.size() - start - 1};
    const uint64_t key = keyOf(header_->key, record.hash, publisherId);
    const Slots slots{header_, key};
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < Slots::kCount; ++i) {
        const uint64_t slot = slots.load(i);
        const bool isSame = hasTagOf(key, slot) && lookAt(slot, channel, publisherId);
        const uint64_t age = isSame ? 0 : 1 + (slot & kPlaceMask);
        best = std::min(best, age * Slots::kCount + i);
    }
    slots.store(best % Slots::kCount, slotFor(key, offset));
    faultPoint("addPublisherId: done");
}

} // namespace sse
