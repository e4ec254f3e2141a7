// A hash table with a fixed number of slots, in shared memory. It survives the death of its writer at any
// instruction.
//
// A slot is either in the chain of its subject's bucket, or free. While it changes from one to the other, it
// is noted as `moving`. A slot that a dead writer has left there belongs to no process, and the next writer
// frees it. So a slot that was being made does not exist, and a slot that was being removed is gone.
//
// No process ever cleans up the whole table. Instead, each call that makes a slot first looks at some others,
// and removes those that are no longer of use. So there is room as long as less than 7/8 of the slots are in
// use, and a call does the same amount of work however large the table is.
//
// Knows no nginx. All of it is called with the lock of the memory held.
#pragma once

#include <cstddef>
#include <cstdint>

#include "log/assert.hpp"
#include "log/fault.hpp"

namespace sse {

// What a slot begins with.
struct SlotHead {
    uint64_t subject;      // a hash with a secret key
    uint32_t nextInBucket; // the number of a slot plus 1; 0: none
    uint32_t nextFree;     // the same, while the slot is free; kInUse: it is not free
};

// Valid when all zeros, except for the first two members.
struct SlotsHeader {
    uint32_t capacity;
    uint32_t buckets; // a power of two
    uint32_t used;    // slots that are or have been in use: those above are free, and in no list
    uint32_t free;    // number plus 1 of the first slot in the list of the free ones; 0: none
    uint32_t moving;  // number plus 1 of the slot that is changing sides; 0: none
    uint32_t hand;    // the slot that is looked at next
};

template <typename Slot>
class Slots {
public:
    // How many slots fit into so many bytes, with their buckets.
    static uint32_t capacityIn(size_t bytes) noexcept {
        const size_t capacity = bytes / (sizeof(Slot) + sizeof(uint32_t));
        return static_cast<uint32_t>(capacity < kMostSlots ? capacity : kMostSlots);
    }

    // The header is all zeros before; slots and buckets need not be.
    static void init(SlotsHeader& header, void* memory, uint32_t capacity) noexcept {
        header.capacity = capacity;
        header.buckets = 1;
        while (header.buckets * 2 <= capacity) {
            header.buckets *= 2;
        }
        Slots table(header, memory);
        for (uint32_t i = 0; i < header.buckets; ++i) {
            table.buckets_[i] = 0;
        }
    }

    Slots() = default;
    Slots(SlotsHeader& header, void* memory) noexcept
        : header_(&header), slots_(static_cast<Slot*>(memory)),
          buckets_(reinterpret_cast<uint32_t*>(slots_ + header.capacity)) {}

    // To be called before anything else once the lock is held.
    void recover() noexcept {
        if (header_->moving == 0) {
            return;
        }
        const uint32_t number = header_->moving - 1;
        unlink(number);
        if (number < header_->used && header_->free != number + 1) {
            slots_[number].head.nextFree = header_->free;
            faultPoint("slot: before the free ones");
            header_->free = number + 1;
            faultPoint("slot: free");
        }
        header_->moving = 0;
        faultPoint("slot: recovered");
    }

    uint32_t numberOf(const Slot& slot) const noexcept { return static_cast<uint32_t>(&slot - slots_); }
    Slot& at(uint32_t number) const noexcept {
        SSE_ASSERT(number < header_->used);
        return slots_[number];
    }
    bool isInUse(uint32_t number) const noexcept {
        return number < header_->used && slots_[number].head.nextFree == kInUse;
    }

    // The first slot of that subject for which matches(slot) is true; NULL if there is none.
    template <typename F>
    Slot* find(uint64_t subject, F&& matches) const noexcept {
        for (uint32_t next = bucket(subject); next != 0; next = at(next - 1).head.nextInBucket) {
            Slot& slot = at(next - 1);
            if (slot.head.subject == subject && matches(slot)) {
                return &slot;
            }
        }
        return nullptr;
    }

    // A new slot of that subject; fill(slot) sets its other members. NULL if all slots are in use. Before
    // that, removes some slots for which isUseless(slot) is true.
    template <typename F, typename G>
    Slot* make(uint64_t subject, F&& fill, G&& isUseless) noexcept {
        sweep(isUseless);
        const bool isNew = header_->free == 0;
        if (isNew && header_->used == header_->capacity) {
            return nullptr;
        }
        const uint32_t number = isNew ? header_->used : header_->free - 1;
        Slot& slot = slots_[number];
        header_->moving = number + 1;
        faultPoint("slot: moving into its bucket");
        (isNew ? header_->used : header_->free) = isNew ? number + 1 : slot.head.nextFree;
        faultPoint("slot: not free");
        slot.head.subject = subject;
        fill(slot);
        slot.head.nextFree = kInUse;
        slot.head.nextInBucket = bucket(subject);
        faultPoint("slot: filled in");
        bucket(subject) = number + 1;
        faultPoint("slot: in its bucket");
        header_->moving = 0;
        faultPoint("slot: made");
        return &slot;
    }

    void remove(Slot& slot) noexcept {
        header_->moving = numberOf(slot) + 1;
        faultPoint("slot: moving to the free ones");
        recover();
    }

private:
    static constexpr uint32_t kInUse = UINT32_MAX;
    static constexpr uint32_t kMostSlots = UINT32_MAX / 4;
    static constexpr uint32_t kSwept = 8; // slots looked at for each one that is made

    uint32_t& bucket(uint64_t subject) const noexcept { return buckets_[subject & (header_->buckets - 1)]; }

    // Takes a slot out of its bucket, if it is there.
    void unlink(uint32_t number) noexcept {
        uint32_t* link = &bucket(slots_[number].head.subject);
        while (*link != 0 && *link != number + 1) {
            link = &slots_[*link - 1].head.nextInBucket;
        }
        if (*link != 0) {
            *link = slots_[number].head.nextInBucket;
            faultPoint("slot: out of its bucket");
        }
    }

    template <typename G>
    void sweep(G&& isUseless) noexcept {
        for (uint32_t i = 0; i < kSwept && i < header_->used; ++i) {
            const uint32_t number = header_->hand < header_->used ? header_->hand : 0;
            header_->hand = number + 1;
            if (isInUse(number) && isUseless(slots_[number])) {
                remove(slots_[number]);
            }
        }
    }

    SlotsHeader* header_ = nullptr;
    Slot* slots_ = nullptr;
    uint32_t* buckets_ = nullptr;
};

} // namespace sse
