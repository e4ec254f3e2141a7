// What a follower does after it has connected: a decision on what the log and the stream say of themselves.
//
// A log is bound to a stream once they have the same lineage, and knows the newest entry that it has taken
// from it, its position. The server may have been replaced, flushed or restarted meanwhile, have lost its
// newest entries in a failover, or trimmed what the log has not seen.
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
    StreamId last;     // of its newest id
    StreamId position; // if it is bound; 0-0: it has taken nothing yet

    // The entry that should be in the stream.
    StreamId newestEntry() const noexcept { return isBound ? position : last; }
};

// What the server says. A stream that is not there is one without entries.
struct StreamFacts {
    uint64_t lineage = 0;          // never 0
    StreamId last;                 // the id that was generated last, whether the entry is still there or not
    std::optional<StreamId> first; // the oldest entry
    std::optional<StreamId> newest;
    // How many entries have ever been added. Servers before Redis 7 do not tell.
    std::optional<uint64_t> added = std::nullopt;
    bool isWhole = false; // nothing has ever been trimmed or deleted
    // What became of LogFacts::newestEntry(). Another one may have its id.
    enum class Entry { Missing, Same, Other };
    Entry entry = Entry::Missing;
};

struct SyncPlan {
    enum class Way {
        // Read on, after `from`.
        Read,
        // The log is empty, or has just become so: find out how much of the stream it takes, read that.
        Fill,
        // The stream does not have our position, but should: find the newest entry that both have, read on
        // after that, and have everybody take a break.
        WalkBack,
    };

    Way way = Way::Read;
    bool beginsLife = false; // the log first begins a life, with the stream's lineage
    // Everybody takes a break: the log has events that the stream never had.
    bool breaks = false;
    bool loses = false; // events that the log had
    StreamId from = {};
    std::optional<StreamId> gap = std::nullopt; // of this log alone: what came until then is missing
};

SyncPlan planSync(const LogFacts& log, const StreamFacts& stream) noexcept;

// Whether entries after an id that the stream has issued (0-0: none), and that is not newer than all, may
// have been trimmed or deleted.
bool mayLackAfter(const StreamFacts& stream, StreamId id) noexcept;

// Whether that is the error of a server that takes no writes, as one that is full, and can be read.
bool refusesWrites(const Reply& reply) noexcept;

// Whether the error is one of the server, which will not do for other commands either.
bool isOfServer(const Reply& error) noexcept;

// The answer to XINFO STREAM has two entries, of 512 MB each if somebody means it.
inline constexpr size_t kLargestStreamInfo = 1280UL * 1024 * 1024;

// Whether it is the answer when there is no such stream.
bool saysNoStream(const Reply& reply) noexcept;

// Reads it. false: it says nothing of a stream.
bool readStreamInfo(const Reply& reply, StreamFacts& facts) noexcept;

// The answer to TIME, in milliseconds; nullopt: it is none.
std::optional<uint64_t> readTime(const Reply& reply) noexcept;

// Tells entries apart, also those that have the same id: a server that has lost its newest entries may issue
// their ids again.
uint64_t fingerprintOf(const Reply& entry) noexcept;

// A lineage as text; nullopt if it is none.
std::optional<uint64_t> parseLineage(std::string_view text) noexcept;

} // namespace sse
