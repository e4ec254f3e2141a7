// What lies in the memory of a log: ZoneHeader | buckets | IndexEntry[] | ring. Private to src/log.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "log/event_id.hpp"
#include "log/fault.hpp"
#include "log/index.hpp"
#include "log/record.hpp"
#include "log/siphash.hpp"

namespace sse {

using SharedWord = std::atomic<uint64_t>;
static_assert(SharedWord::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);
static_assert(std::atomic_ref<uint64_t>::is_always_lock_free);

// An id that readers may load without the lock and that the death of a writer cannot leave torn: there are
// two, and a version whose lowest bit says which one counts.
class SharedId {
public:
    EventId load() const noexcept {
        for (;;) {
            const uint64_t version = version_.load(std::memory_order_acquire);
            const Slot& slot = slots_[version % 2];
            const EventId id{slot.milliseconds.load(std::memory_order_relaxed),
                             slot.sequence.load(std::memory_order_relaxed)};
            std::atomic_thread_fence(std::memory_order_acquire);
            if (version_.load(std::memory_order_relaxed) == version) {
                return id;
            }
        }
    }

    void store(EventId id) noexcept {
        const uint64_t version = version_.load(std::memory_order_relaxed) + 1;
        Slot& slot = slots_[version % 2];
        std::atomic_thread_fence(std::memory_order_release);
        slot.milliseconds.store(id.milliseconds, std::memory_order_relaxed);
        faultPoint("id: half written");
        slot.sequence.store(id.sequence, std::memory_order_relaxed);
        version_.store(version, std::memory_order_release);
    }

    void raise(EventId id) noexcept {
        if (id > load()) {
            store(id);
        }
    }

private:
    struct Slot {
        SharedWord milliseconds;
        SharedWord sequence;
    };

    Slot slots_[2]{};
    SharedWord version_{0};
};

// The first word of a log. Its upper five bytes, "sslog", say what it is; they and their place stay the same
// in all versions of the module. Its lower three say how it is laid out: the version of the layout, which has
// to grow with every change of what follows, and the sizes of what else that depends on. So a log that cannot
// be read can be told from what is none.
inline constexpr uint64_t kKind = 0x73736c6f67;
inline constexpr int kLayoutBits = 24;
#ifdef SSE_FAULTS
inline constexpr uint64_t kLayoutVersion = 0x82; // so that tests have one with another layout
#else
inline constexpr uint64_t kLayoutVersion = 2;
#endif
inline constexpr uint64_t kMagic =
    kKind << kLayoutBits | kLayoutVersion << 16 | sizeof(RecordHeader) << 8 | sizeof(IndexEntry);
static_assert(kLayoutVersion < 256 && sizeof(RecordHeader) < 256 && sizeof(IndexEntry) < 256);

// Everything is written under the zone's lock. What is atomic is read without it.
struct ZoneHeader {
    // Set by create() and never changed; key and mark once more by takeOver(), before anybody reads.
    SharedWord magic; // stored last
    uint64_t capacity;
    SipKey key;
    uint64_t mark;     // of all ids, see kMarks
    uint32_t channels; // entries of the index
    uint32_t buckets;  // a power of two

    // The two words that readers watch have a cache line each.
    std::byte gap1[64];
    SharedWord head;
    std::byte gap2[64];
    SharedWord tail;
    std::byte gap3[64];

    // The writers' own.
    uint32_t retired;    // another log has taken over
    uint32_t eventsLost; // the zone had events before that no log has taken over; set before anybody reads
    std::atomic<uint32_t> dirty; // a writer is at work, or died at it
    uint32_t used;               // entries [0, used) have been used at some time
    uint32_t queueHead;          // entries that may be reused
    uint32_t queueTail;
    uint64_t indexedUpTo; // the index knows all records before
    uint64_t pendingLink; // the record whose `next` may name a record that has not been published
    uint64_t staleHand;   // channels without listeners whose newest record is before it may lose it

    SharedId lastId;
    SharedId
        forgottenId; // the newest that any channel had which has lost its entry; at least the log's birth
    SharedWord published;
    SharedWord forgottenChannels;
    std::atomic<uint32_t> inUse; // entries with a listener or with a record that they may keep
    std::atomic<uint32_t> census;
};
static_assert(sizeof(ZoneHeader) % 8 == 0);

} // namespace sse
