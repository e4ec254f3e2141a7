// Replay: reads the events of a set of channels after a cursor, in the log's order, without a lock.
//
// First it seeks: from each channel's newest record back along the chain to the first one after the cursor,
// in slices if that is far. Then it reads forward along the `next` links, merging the channels by id. It also
// determines exactly whether the reader has missed something.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "log/log.hpp"

namespace sse {

// How far back a replay reaches, for each channel.
struct History {
    uint64_t count = UINT64_MAX; // at most this many of the newest events
    uint64_t since = 0;          // and none older than this (Unix milliseconds, RecordHeader::time)
};

// One channel of a replay. The caller fills in the first three members, with `state` from the index; all
// states of a replay, and its `lastId`, are taken under one lock.
struct ReplayChannel {
    std::string_view name;
    uint64_t hash = 0;
    ChannelState state;

    uint64_t offset = kNoOffset; // where the seek continues, then the next record to be read
    EventId precedingId{};       // id of the record there, or of the newest one that is lost
    uint64_t after = kNoOffset;  // the record that the seek came from
    uint64_t first = kNoOffset;  // the oldest record found so far
    uint64_t found = 0;          // events seen by the seek
    EventId start{};             // everything after this id will be read
    bool sought = false;
};

// Why an event is missing.
enum class Gap {
    None,
    Evicted, // newer than the cursor, and no longer in the ring or beyond the history
    Unknown, // this log did not issue the cursor
};

struct ReplayEvent {
    uint64_t offset = kNoOffset;
    RecordHeader header{};
};

class Replay {
public:
    // `channels` belong to the caller and outlive the replay. `cursor` is exclusive; kBeginning means
    // everything there is, and is never a gap unless the log began with a loss. A cursor newer than `lastId`,
    // or of another lineage, was issued by another log: a gap, and everything is read.
    Replay(const Log& log, std::span<ReplayChannel> channels, EventId cursor, EventId lastId,
           const History& history) noexcept;

    static constexpr EventId kBeginning{0, 0};

    // Seeks through at most `steps` records. Ok: ready to read. End: call again. Lapped: the ring has moved
    // on during the seek; make a new replay with fresh states.
    ReadStatus seek(uint32_t steps) noexcept;

    // Valid once the seek is Ok.
    Gap gap() const noexcept { return gap_; }
    // A reader with this id as its cursor gets exactly what this replay is going to read; the id for a gap
    // event.
    EventId start() const noexcept;

    // Where it ends: the log's head when the states were taken. A channel that had no record then has nothing
    // that leads to its later ones, so what lies beyond is for a new replay, from the last event returned or,
    // if there was none, from start().
    uint64_t horizon() const noexcept { return horizon_; }

    // The next event before `limit` and before the horizon (logical offsets) in the order of ids. End: there
    // is none, in particular until the seek is Ok; a greater limit may bring more. Lapped: the reader has
    // fallen behind; make a new replay from the last event returned.
    ReadStatus next(uint64_t limit, ReplayEvent& event) noexcept;

private:
    bool seekFurther(ReplayChannel& channel) noexcept;
    void finishSeek(ReplayChannel& channel, bool missed) noexcept;

    Log log_;
    std::span<ReplayChannel> channels_;
    EventId cursor_;
    History history_;
    uint64_t horizon_ = kNoOffset;
    size_t sought_ = 0; // channels whose seek is done
    Gap gap_ = Gap::None;
};

// The id of the newest event of these channels that has this publisher id; nullopt if the ring has none.
// Looks at no more than `steps` records of each channel.
std::optional<EventId> findPublisherId(const Log& log, std::span<const ReplayChannel> channels,
                                       std::string_view publisherId, uint32_t steps) noexcept;

} // namespace sse
