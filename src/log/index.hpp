// The channel index: from the hash of a channel's name to its newest record and to who listens.
//
// A chained hash table of a fixed number of small entries in the zone. Hash equality is never identity: two
// channels whose hashes collide share an entry, a chain of records and wake-ups, and the names in the records tell
// them apart. An entry keeps its place as long as somebody listens, so a worker may keep the number.
//
// All of it is called with the zone's lock held.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "log/record.hpp"

namespace sse {

// At most so many workers, of all generations alive, can be woken by an eventfd.
inline constexpr uint32_t kMaxWorkers = 128;

using WorkerSet = std::array<uint64_t, kMaxWorkers / 64>;

struct IndexEntry {
    uint64_t hash;
    uint64_t newest;      // offset of the channel's newest record, kNoOffset if it has none; below the tail: evicted
    EventId newestId;     // its id; for a channel without records the newest one it may have had and lost
    WorkerSet listeners;  // which worker entries have a subscriber here
    uint32_t subscribers; // how many subscribers, valid if `census` is the log's current one
    uint32_t census;
    uint32_t nextInBucket;
    uint32_t nextInQueue; // of the queue of entries that may be reused
};
static_assert(sizeof(IndexEntry) <= 72);

} // namespace sse
