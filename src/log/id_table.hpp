// A table from names that publishers give to the records that have them: from a key, a hash of channel and
// name, to the offset of the newest record. Private to src/log.
//
// The table is bounded, and forgets: a key can be in one of two buckets, and displaces the oldest record
// there (Azar, Broder, Karlin, Upfal: "Balanced allocations"). So the newest names stay: as long as they fill
// no more than a quarter of the slots, none is displaced (t/unit/stamp.cpp); at 60%, one in 500 is. A slot is
// only a hint: it counts only if the record to which it leads is in the ring and has that channel and that
// name. So nothing is removed when records are evicted, and it does not matter whether a dead writer has
// written the slot.
#pragma once

#include <algorithm>
#include <string_view>
#include <tuple>

#include "log/layout.hpp"

namespace sse {

class IdTable {
public:
    IdTable(LogHeader* header, uint64_t key) noexcept
        : key_(key), buckets_{bucket(header, key >> 32), bucket(header, key & UINT32_MAX)} {}

    // The key of a name in a channel, of which `hash` is the log's hash and a secret, too.
    static uint64_t keyOf(const SipKey& secret, uint64_t hash, std::string_view name) noexcept {
        return sipHash({secret[0] ^ hash, secret[1]}, name);
    }

    // Calls visit(offset) for each record that may have the name.
    template <typename Visit>
    void each(Visit&& visit) const noexcept {
        for (size_t i = 0; i < kCount; ++i) {
            if (const uint64_t slot = load(i); hasTag(slot)) {
                visit(offsetOf(slot));
            }
        }
    }

    // The record takes the slot of the one for which isSame(offset) is true, or of the oldest. If it has one
    // already, because a writer died here, it takes that.
    template <typename IsSame>
    void enter(uint64_t offset, IsSame&& isSame) const noexcept {
        uint64_t best = UINT64_MAX;
        for (size_t i = 0; i < kCount; ++i) {
            const uint64_t slot = load(i);
            const uint64_t age = hasTag(slot) && isSame(offsetOf(slot)) ? 0 : 1 + (slot & kPlaceMask);
            best = std::min(best, age * kCount + i);
        }
        word(best % kCount).store(slotFor(offset), std::memory_order_relaxed);
    }

private:
    static constexpr size_t kBucketSlots = std::tuple_size_v<decltype(IdBucket::slots)>;
    static constexpr size_t kCount = 2 * kBucketSlots;
    static constexpr int kTagShift = 56;
    static constexpr uint64_t kPlaceMask = (uint64_t{1} << kTagShift) - 1;

    static IdBucket* bucket(LogHeader* header, uint64_t half) noexcept {
        return idBucketsOf(header) + (half * idBucketsFor(header->capacity) >> 32);
    }
    std::atomic_ref<uint64_t> word(size_t i) const noexcept {
        return std::atomic_ref(buckets_[i / kBucketSlots]->slots[i % kBucketSlots]);
    }
    uint64_t load(size_t i) const noexcept { return word(i).load(std::memory_order_relaxed); }

    uint64_t slotFor(uint64_t offset) const noexcept { return key_ << kTagShift | (offset / 8 + 1); }
    bool hasTag(uint64_t slot) const noexcept { return (slot ^ slotFor(0)) >> kTagShift == 0; }
    // No record if the slot is 0.
    static uint64_t offsetOf(uint64_t slot) noexcept { return ((slot & kPlaceMask) - 1) * 8; }

    uint64_t key_;
    IdBucket* buckets_[2];
};

} // namespace sse
