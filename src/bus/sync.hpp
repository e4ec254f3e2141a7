// What a follower does after it has connected. It decides that from what the log and the stream say about
// themselves.
//
// A log is bound to a stream once they have the same lineage. It then knows its position, the newest entry
// that it has taken from the stream. Meanwhile the server may have been replaced, flushed or restarted. It
// may have lost its newest entries in a failover, or have trimmed what the log has not seen.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bus/reply.hpp"
#include "bus/stream_id.hpp"

namespace sse {

// What the log knows.
struct LogFacts {
    bool isBound = false; // it has been on this stream
    bool isEmpty = false; // it never had an event
    uint64_t lineage = 0;
    StreamId last;     // the newest id, as an id of the stream
    StreamId position; // if it is bound; 0-0: it has taken nothing yet

    // The entry that should be in the stream.
    StreamId newestEntry() const noexcept { return isBound ? position : last; }
};

// What the server says. A stream that does not exist counts as one without entries.
struct StreamFacts {
    uint64_t lineage = 0;          // never 0
    StreamId last;                 // the id that was generated last, whether the entry is still there or not
    std::optional<StreamId> first; // the oldest entry
    std::optional<StreamId> newest;
    // How many entries have ever been added. Servers before Redis 7 do not report that.
    std::optional<uint64_t> added = std::nullopt;
    bool isWhole = false; // nothing has ever been trimmed or deleted
    // What became of LogFacts::newestEntry(). Another entry may have its id.
    enum class Entry { Missing, Same, Other };
    Entry entry = Entry::Missing;
};

struct SyncPlan {
    enum class Way {
        // Read on, after `from`.
        Read,
        // The log is empty, or has just become so: find out how much of the stream it takes, and read that.
        Fill,
        // The stream does not have our position, but should: find the newest entry that both have, read on
        // after that, and add a break for all machines.
        WalkBack,
    };

    Way way = Way::Read;
    bool beginsLife = false; // the log first begins a life, with the stream's lineage
    // A break is added for all machines: the log has events that the stream never had.
    bool breaks = false;
    bool loses = false; // the log loses the events that it had
    StreamId from = {};
    std::optional<StreamId> gap = std::nullopt; // in this log alone: what came up to this id is missing
};

SyncPlan planSync(const LogFacts& log, const StreamFacts& stream) noexcept;

// Whether entries after `id` may have been trimmed or deleted. The stream must have issued `id` (0-0: it has
// issued none), and `id` must not be newer than all of its ids.
bool mayLackAfter(const StreamFacts& stream, StreamId id) noexcept;

// Whether that is the error of a server that takes no writes, for example because it is full, but can be
// read.
bool refusesWrites(const Reply& reply) noexcept;

// Whether the error concerns the server, which then cannot serve other commands either.
bool isOfServer(const Reply& error) noexcept;

// The answer to XINFO STREAM has two entries, of 512 MB each in the worst case.
inline constexpr size_t kLargestStreamInfo = 1280UL * 1024 * 1024;

// Whether the reply says that there is no such stream.
bool saysNoStream(const Reply& reply) noexcept;

// Reads the answer to XINFO STREAM. false: it does not describe a stream.
bool readStreamInfo(const Reply& reply, StreamFacts& facts) noexcept;

// The answer to TIME, in milliseconds; nullopt: it is not one.
std::optional<uint64_t> readTime(const Reply& reply) noexcept;

// Tells entries apart, even those with the same id: a server that has lost its newest entries may issue their
// ids again.
uint64_t fingerprintOf(const Reply& entry) noexcept;

// Reads a lineage from text; nullopt if it is not one.
std::optional<uint64_t> parseLineage(std::string_view text) noexcept;

} // namespace sse
