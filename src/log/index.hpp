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
// An entry without listeners is in one of two lists: those whose newest record is gone, and those whose
// channel is silent, the longest silent first. When all entries are in use, the first of the one list is
// taken, or else of the other. Until then it remains what it was, and it leaves its list when its channel
// comes back to life; so no call has to search for an entry. What an entry forgets when it is taken goes into
// `forgottenId`, which a new channel starts with: so no reader is told that it has missed nothing if that is
// not certain.
class Index {
public:
    Index(LogHeader* header, IndexEntry* entries) noexcept;

    // The channel's entry, or kNoEntry.
    uint32_t find(uint64_t hash) const noexcept;
    // The first entry of the bucket of that hash; the others follow by `nextInBucket`.
    uint32_t firstOf(uint64_t hash) const noexcept { return bucket(hash); }
    // Makes one if there is none; kNoEntry if all have listeners.
    uint32_t findOrMake(uint64_t hash) noexcept;

    // The caller does not need the entry that findOrMake() returned.
    void onAbandoned(uint32_t number) noexcept;

    // The record at `offset` has been published.
    void onPublished(uint64_t offset, const RecordHeader& record) noexcept;
    // The record at `offset` is about to be overwritten.
    void onEvicted(uint64_t offset, const RecordHeader& record) noexcept;

    void addListener(uint32_t number, uint32_t listenerId) noexcept;
    void removeListeners(uint32_t number, const ListenerSet& ids) noexcept;

    // Its newest record cannot be found any more, although the log may still hold it.
    void loseRecords(uint32_t number) noexcept;

    bool isListenedTo(uint32_t number) const noexcept;
    // Whether it has a listener or a record.
    bool isInUse(uint32_t number) const noexcept;
    // Subscribers of an entry that the workers have announced in the current census.
    uint32_t announced(uint32_t entry) const noexcept;
    // How many it has: those, but at least one if a worker listens. So a census that not all have answered
    // yet does not make a channel with subscribers look like one without; only where the listeners share an
    // id (see kExclusiveListeners) it may, for a moment.
    uint32_t subscribers(uint32_t entry) const noexcept;

    // Rebuilds buckets, lists and count from the entries alone. Can be repeated. The order in which channels
    // have been silent is only approximate afterwards.
    void rebuild() noexcept;

private:
    uint32_t& bucket(uint64_t hash) const noexcept;
    bool hasRecord(const IndexEntry& entry) const noexcept;
    bool isListed(uint32_t number) const noexcept;
    void addLast(EntryList& list, uint32_t number) const noexcept;
    void addFirst(EntryList& list, uint32_t number) const noexcept;
    void addSilent(uint32_t number) noexcept;
    void addEmpty(uint32_t number) noexcept;
    void remove(uint32_t number) noexcept;
    void append(EntryList& list, const EntryList& other) const noexcept;
    void list(uint32_t number) noexcept;
    void unlist(uint32_t number) noexcept;
    void listSilent() noexcept;
    uint32_t takeUnused() noexcept;
    void forget(uint32_t number) noexcept;
    void assign(uint32_t number, uint64_t hash) noexcept;

    LogHeader* header_;
    IndexEntry* entries_;
    uint32_t* buckets_;
};

} // namespace sse
