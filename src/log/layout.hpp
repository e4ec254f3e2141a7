// The layout of a log in its memory: all structs, constants and sizes. Nothing here reads or writes.
//
//     memory (8-byte aligned; cache lines are met if it is aligned to them)
//     +-----------+--------------+-------------+------------+-----------------+
//     | LogHeader | IndexEntry[] | buckets     | IdBucket[] | ring            |
//     +-----------+--------------+-------------+------------+-----------------+
//      magic first  a channel      heads of the  records by   the records, in
//                   each           chains of     publishers'  `capacity` bytes
//                                  entries       ids
//
// Places in the ring are logical offsets: 64-bit numbers that only grow; an offset is byte `offset %
// capacity` of the ring. The records between the tail and the head can be read; they lie one after the other:
//
//     tail                                          head                       tail + capacity
//      v                                             v                                v
//      +--------+------------+------+-----+----------+- - - - - - - - - - - - - - - - +
//      | record | record     |  ... | pad | record   | free, or being written         |
//      +--------+------------+------+-----+----------+- - - - - - - - - - - - - - - - +
//                                         ^
//                                         a multiple of the capacity: a record never wraps
//
// A record has these parts. Its length is a multiple of 8, and says where the next record begins:
//
//     +--------------+--------------+-----------------------------------------------+-------+- - -+
//     | RecordHeader | channel name | payload: the event as it goes to subscribers  | stamp | fill|
//     +--------------+--------------+-----------------------------------------------+-------+- - -+
//                                    id: 1700000000000-4711~theirs\n
//                                    data: hello\n
//                                    \n
//
// The records of a channel in the ring form a chain. Each links to its predecessor and, by a jump, to a
// record further back. With the jumps any place in a chain of n records is found in about 2 log2(n) steps: a
// step takes the jump unless that goes too far (Myers: "An applicative random-access stack"). From the newest
// record the jumps lead back one after the other. If the first two have equal length, the next record jumps
// over both; otherwise it jumps to its predecessor:
//
//     0 <- 1 <- 2 <- 3 <- 4 <- 5 <- 6 <- 7 <- 8      predecessors
//     0 <- 1 <- 2    3 <- 4 <- 5         7 <- 8      jumps of length 1
//     0 <----------- 3 <----------- 6                of length 3
//     0 <------------------------------- 7           of length 7
//
// A break belongs to no channel. It marks a place where the source of the events has lost some, or may have.
// It is a record like any other, with nothing after its header:
//
//     | event | event | break | event |      cursors before the break's id have missed something
//
// A pad, a header without meaningful content, fills the rest at the end of the ring. The rest is never
// smaller than a header, because the writer lengthens a record that would leave less. So walking the log only
// adds lengths.
//
// Every change of this layout needs another kLayoutVersion: a log outlives the copy of the module that
// created it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "log/event_id.hpp"
#include "log/shared_id.hpp"
#include "log/siphash.hpp"
#include "sse/event.hpp"

namespace sse {

static_assert(std::atomic<uint32_t>::is_always_lock_free);
static_assert(std::atomic_ref<uint64_t>::is_always_lock_free);

inline constexpr uint64_t kNoOffset = UINT64_MAX; // no record
inline constexpr uint32_t kNoEntry = UINT32_MAX;  // no entry of the index

// --- Records ---

enum class RecordKind : uint8_t {
    Pad = 1,   // fills the end of the ring
    Event = 2, // an event as SSE bytes
    End = 3,   // the end of a channel without an event: its subscribers leave. A later event begins it again
    Break = 4, // events are missing here, of whatever channel
};

struct RecordHeader {
    uint32_t length; // bytes from this header to the next one, a multiple of 8
    RecordKind kind;
    uint8_t stampLength;    // bytes of the stamp (stamp.hpp), which follow the payload; 0: it has none
    uint16_t nameLength;    // bytes of the channel's name, which follow this header
    uint32_t payloadLength; // bytes of the rendered event, which follow the name
    uint32_t entry;         // the channel's entry in the index, kNoEntry if the index had no room
    EventId id;
    EventId previousId;    // the channel's newest event before this one; may be evicted, never forgotten
    uint64_t previous;     // offset of that record, kNoOffset if it was no longer in the ring
    uint64_t next;         // offset of the channel's next record, kNoOffset until there is one
    uint64_t jump;         // offset of a record further back in the chain, kNoOffset if there is none
    uint64_t hash;         // of the channel's name
    uint64_t time;         // Unix milliseconds by the clock of the publisher
    uint64_t leastTime;    // of the records that the jump skips, and of this one
    uint64_t number;       // how many events came before it since the log was made, ends included
    uint32_t place;        // how many events came before it in its chain, modulo 2^32
    uint16_t idLineLength; // bytes of the "id: …\n" line at the start of the payload
    uint8_t jumpLevel;     // the jump goes 2^jumpLevel - 1 records back
    uint8_t flags;
};
static_assert(sizeof(RecordHeader) % 8 == 0);

// Flags of a record.
inline constexpr uint8_t kSharedChain =
    1; // the chain has records of another channel whose name has the same hash
inline constexpr uint8_t kHasPublisherId = 2; // there is one in the id line
inline constexpr uint8_t kLastEvent = 4;      // the channel ends with this event
// The flags that belong to the event, not to its chain.
inline constexpr uint8_t kEventFlags = kHasPublisherId | kLastEvent;

// The newest event of the channel once this record has been appended; an end is not an event.
constexpr EventId newestEvent(const RecordHeader& record) noexcept {
    return record.kind == RecordKind::End ? record.previousId : record.id;
}

// Whether the channel ends with this record, unless another one follows.
constexpr bool endsChannel(const RecordHeader& record) noexcept {
    return record.kind == RecordKind::End ||
           (record.kind == RecordKind::Event && (record.flags & kLastEvent) != 0);
}

constexpr uint32_t countEvents(const RecordHeader& record) noexcept {
    return record.kind == RecordKind::Event ? 1 : 0;
}

// How many events there were once this record had been appended, ends included.
constexpr uint64_t numberAfter(const RecordHeader& record) noexcept {
    return record.kind == RecordKind::Event || record.kind == RecordKind::End ? record.number + 1
                                                                              : record.number;
}

constexpr uint64_t roundUp8(uint64_t length) noexcept {
    return (length + 7) / 8 * 8;
}

// Bytes of a record with so much after its header, unless it has to fill the rest of the ring.
constexpr uint64_t recordLength(uint64_t nameLength, uint64_t payloadLength,
                                uint64_t stampLength = 0) noexcept {
    return roundUp8(sizeof(RecordHeader) + nameLength + payloadLength + stampLength);
}
constexpr uint64_t recordLength(const RecordHeader& record) noexcept {
    return recordLength(record.nameLength, record.payloadLength, record.stampLength);
}

// The longest record that a ring of this capacity accepts: a quarter of it.
constexpr uint64_t maxRecordLength(uint64_t capacity) noexcept {
    // RecordHeader::length has 32 bits, and a record may be lengthened by less than a header.
    return std::min<uint64_t>(capacity / 4, UINT32_MAX - sizeof(RecordHeader)) / 8 * 8;
}

// --- The index ---

// Listener ids are below this. An id stands for one worker, or for several that share it.
inline constexpr uint32_t kMaxListeners = 128;
// An id below this stands for one worker, which is a listener only as long as it has a subscriber.
inline constexpr uint32_t kExclusiveListeners = kMaxListeners - 2;

using ListenerSet = std::array<uint64_t, kMaxListeners / 64>;

constexpr ListenerSet setOf(uint32_t listenerId) noexcept {
    ListenerSet set{};
    set[listenerId / 64] = uint64_t{1} << listenerId % 64;
    return set;
}

struct IndexEntry {
    uint64_t hash;
    uint64_t newest;  // offset of the newest record, kNoOffset if there is none; below the tail: evicted
    EventId newestId; // of its newest event; without records: of the newest that it may have had and lost
    ListenerSet listeners; // ids of the workers that have a subscriber here
    uint32_t subscribers;  // how many subscribers, valid if `census` is the log's current one
    uint32_t census;       // but while it is in an EntryList: the entry before it, and no subscribers
    uint32_t nextInBucket; // kNotLinked: the entry is nobody's
    uint32_t nextInList;   // kNotListed: it is in none
};
static_assert(sizeof(IndexEntry) == 64); // a cache line

inline constexpr uint32_t kNotLinked = kNoEntry - 1;
inline constexpr uint32_t kNotListed = kNoEntry - 1;

// Entries that nobody listens to, linked both ways.
struct EntryList {
    uint32_t first = kNoEntry;
    uint32_t last = kNoEntry;
};

// --- The table of publishers' names for events (id_table.hpp) ---

// A word is 0, or stands for a record whose publisher gave it an id or a stamp: its upper byte is a part of
// the hash of channel and name, the rest is the record's offset in units of 8 bytes, plus one.
struct IdBucket {
    std::array<uint64_t, 8> slots;
};
static_assert(sizeof(IdBucket) == 64); // a cache line

// --- The head of the memory ---

// The first word of a log. Its upper five bytes, "sslog", identify a log; they and their place stay the same
// in all versions of the module. The lower three bytes identify the layout: its version, which must grow with
// every change below, and the sizes on which it depends. So a log with another layout can be told from memory
// that is not a log.
inline constexpr uint64_t kLogKind = 0x73736c6f67;
inline constexpr int kLayoutBits = 24;
#ifdef SSE_FAULTS
inline constexpr uint64_t kLayoutVersion = 0x88; // so that tests have one with another layout
#else
inline constexpr uint64_t kLayoutVersion = 8;
#endif
inline constexpr uint64_t kMagic =
    kLogKind << kLayoutBits | kLayoutVersion << 16 | sizeof(RecordHeader) << 8 | sizeof(IndexEntry);
static_assert(kLayoutVersion < 256 && sizeof(RecordHeader) < 256 && sizeof(IndexEntry) < 256);

// Everything is written under the zone's lock. What is atomic is read without it.
struct LogHeader {
    // Set by Log::create() and never changed; the key once more by TakeOver, before anybody reads.
    SharedWord magic; // stored last
    uint64_t capacity;
    SipKey key;
    SharedWord lineage; // of all ids of this life, see kLineages
    uint32_t channels;  // entries of the index
    uint32_t buckets;   // a power of two

    // The two words that readers watch have a cache line each.
    std::byte gap1[64];
    SharedWord head;
    std::byte gap2[64];
    SharedWord tail;
    std::byte gap3[64];

    // For writers only.
    uint32_t retired;                 // another log has taken over
    std::atomic<uint32_t> eventsLost; // the zone had earlier events that no log has taken over
    std::atomic<uint32_t> dirty;      // a writer is changing the log, or died doing so
    uint32_t used;                    // entries [0, used) have been used at some time
    EntryList empty;                  // entries without listener and record
    EntryList silent;     // entries without listener, the one first that may lose its records first
    uint64_t indexedUpTo; // the index knows all records before
    uint64_t pendingLink; // the record whose `next` may name a record that has not been published
    uint64_t nextLineage; // of the life that is beginning, which nothing can stop any more; 0: none is

    SharedId lastId;
    SharedId forgottenId;   // newest id of the channels that have lost their entry; at least the birth
    SharedId breakId;       // of the newest break; zero: there was none in this life
    SharedWord breakOffset; // where it lies, or lay; stored before the id
    SharedWord published;
    SharedWord forgottenChannels;
    std::atomic<uint32_t> inUse; // entries with a listener or with a record
    std::atomic<uint32_t> census;
    std::byte gap4[48];
};
static_assert(sizeof(LogHeader) % 64 == 0); // so that each entry of the index lies in one cache line

// --- What lies where ---

inline constexpr uint32_t kMaxChannels = uint32_t{1} << 30;

// Buckets of an index with that many entries.
constexpr uint32_t bucketsFor(uint32_t channels) noexcept {
    return std::bit_ceil(std::max(channels, uint32_t{2}));
}

// Buckets of the table of publisher ids: a slot for each 512 bytes of the ring.
inline constexpr uint64_t kRingPerIdBucket = 4096;
constexpr uint64_t idBucketsFor(uint64_t capacity) noexcept {
    return capacity / kRingPerIdBucket;
}

constexpr size_t bytesBeforeIds(uint32_t channels) noexcept {
    const size_t bytes = sizeof(LogHeader) + channels * sizeof(IndexEntry) +
                         bucketsFor(std::min(channels, kMaxChannels)) * sizeof(uint32_t);
    return (bytes + sizeof(IdBucket) - 1) / sizeof(IdBucket) * sizeof(IdBucket);
}

// Bytes in front of the ring.
constexpr size_t bytesBeforeRing(uint32_t channels, uint64_t capacity) noexcept {
    return bytesBeforeIds(channels) + idBucketsFor(capacity) * sizeof(IdBucket);
}

// Bytes of the largest ring that a log with this index can have in so much memory.
constexpr uint64_t largestCapacity(size_t memorySize, uint32_t channels) noexcept {
    const uint64_t before = bytesBeforeIds(channels);
    const uint64_t left = memorySize > before ? memorySize - before : 0;
    constexpr uint64_t kUnit = kRingPerIdBucket + sizeof(IdBucket);
    return left / kUnit * kRingPerIdBucket + std::min(left % kUnit, kRingPerIdBucket - 8) / 8 * 8;
}

inline IndexEntry* entriesOf(LogHeader* header) noexcept {
    return reinterpret_cast<IndexEntry*>(header + 1);
}

inline uint32_t* bucketsOf(LogHeader* header) noexcept {
    return reinterpret_cast<uint32_t*>(entriesOf(header) + header->channels);
}

inline IdBucket* idBucketsOf(LogHeader* header) noexcept {
    return reinterpret_cast<IdBucket*>(reinterpret_cast<std::byte*>(header) +
                                       bytesBeforeIds(header->channels));
}

inline std::byte* ringOf(LogHeader* header) noexcept {
    return reinterpret_cast<std::byte*>(idBucketsOf(header) + idBucketsFor(header->capacity));
}

// The place of a logical offset in a ring, and the bytes from there to the end of the ring.
constexpr uint64_t placeOf(uint64_t offset, uint64_t capacity) noexcept {
    return offset % capacity;
}
constexpr uint64_t restFrom(uint64_t offset, uint64_t capacity) noexcept {
    return capacity - placeOf(offset, capacity);
}

} // namespace sse
