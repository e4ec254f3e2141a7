// The channel index: from the hash of a channel's name to its newest record and its listeners.
//
// A chained hash table of a fixed number of small entries in the zone. Equal hashes never mean the same
// channel: two channels whose hashes collide share an entry, a chain of records and wake-ups, and the names
// in the records tell them apart. An entry keeps its place as long as it has a listener, so a worker may keep
// its number.
//
// All of it is called with the zone's lock held.
#pragma once

#include <cstddef>
#include <cstdint>

#include "log/layout.hpp"

namespace sse {

// The index of a log, for the log's own use.
//
// An entry may be reused when it has no listener and its newest record is gone, or is older than the stale
// hand. It is then queued, but stays valid until it is taken; if its channel has come back to life by then,
// it is skipped. The newest id of a taken entry goes into `forgottenId`, which new channels start with, so no
// subscriber is told that it has missed nothing when that is no longer known.
class Index {
public:
    Index(LogHeader* header, IndexEntry* entries, std::byte* ring) noexcept;

    // The channel's entry, or kNoEntry.
    uint32_t find(uint64_t hash) const noexcept;
    // Makes one if there is none; kNoEntry if all have listeners.
    uint32_t findOrMake(uint64_t hash) noexcept;

    // The record at `offset` has been published.
    void onPublished(uint64_t offset, const RecordHeader& record) noexcept;
    // The record at `offset` is about to be overwritten.
    void onEvicted(uint64_t offset, const RecordHeader& record) noexcept;

    void addListener(uint32_t number, uint32_t listenerId) noexcept;
    void removeListener(uint32_t number, uint32_t listenerId) noexcept;

    // Subscribers of an entry by the current census.
    uint32_t subscribers(uint32_t entry) const noexcept;

    // Rebuilds buckets, queue and count from the entries alone. Can be repeated.
    void rebuild() noexcept;

private:
    uint32_t& bucket(uint64_t hash) const noexcept;
    uint64_t keptFrom() const noexcept;
    bool reusable(const IndexEntry& entry) const noexcept;
    void retire(uint32_t entry) noexcept;
    void push(uint32_t entry) noexcept;
    uint32_t pop() noexcept;
    uint32_t takeReusable() noexcept;
    uint32_t takeStalest() noexcept;
    void forget(uint32_t number) noexcept;
    void assign(uint32_t number, uint64_t hash) noexcept;

    LogHeader* header_;
    IndexEntry* entries_;
    uint32_t* buckets_;
    std::byte* ring_;
};

} // namespace sse
