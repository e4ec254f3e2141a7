// Replay: reads the events of a set of channels after a cursor, in the log's order, without a lock.
//
// First it seeks: from each channel's newest record back along the chain to the first one after the cursor,
// with jumps, and in slices if that is still far. Then it reads forward along the `next` links, merging the
// channels by id. It also decides exactly whether the reader has missed something, and counts it if the
// records are there.
//
// What comes after the newest break of the log is a second part: a reader gets what is left before the break,
// is told that something is missing, and reads on. If nothing is left before, there is only the second part.
// The log only knows its newest break.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "log/log.hpp"

namespace sse {

// How far back a replay reaches, for each channel: up to the newest record that is beyond a limit.
//
// The age of a record counts from the clock at the time it was published, not from its id. Ids never go back:
// after a clock that was far ahead has been corrected, ids stay ahead for a while, and nothing would count as
// too old. Times can go back from one record to the next, because the clock was set or because two workers
// read it at different moments. So a jump has the least time of all records that it skips.
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

    uint64_t offset = kNoOffset; // the oldest record that the seek has found, then the next one to be read
    EventId firstId{};           // no event that will be read is older; if it is newer than all events, none
                                 // will be read
    EventId start{};             // everything after this id will be read
};

// Why an event is missing.
enum class Gap {
    None,
    Evicted, // newer than the cursor, and no longer in the ring or beyond the history
    Unknown, // this log did not issue the cursor
    Lost,    // there is a break after the cursor: something is missing, or may be
};

struct ReplayEvent {
    uint64_t offset = kNoOffset;
    RecordHeader header{};
    const ReplayChannel* channel = nullptr; // one of the replay's
};

class Replay {
public:
    // `channels` belong to the caller and outlive the replay. `cursor` is exclusive; kBeginning means
    // everything there is, and is never a gap unless the log began with a loss; but a break after the first
    // event is one. A cursor newer than `lastId`, or of another lineage, was issued by another log: a gap,
    // and everything is read.
    Replay(const Log& log, std::span<ReplayChannel> channels, EventId cursor, EventId lastId,
           const History& history) noexcept;

    static constexpr EventId kBeginning{0, 0};

    // Seeks for at most `steps` steps. Ok: ready to read. End: call again. Lapped: the ring has overtaken the
    // seek; make a new replay with fresh states.
    ReadStatus seek(uint32_t steps) noexcept;

    // Valid once the seek is Ok; of the part that is read.
    Gap gap() const noexcept { return gap_; }
    // How many events of the channels the gap covers; nullopt if that is not known, for example because they
    // have left the ring.
    std::optional<uint64_t> missed() const noexcept {
        return isCounted_ && missed_ != 0 ? std::optional(missed_) : std::nullopt;
    }
    // A reader that has this id as its cursor gets exactly what this replay is going to read; the id for a
    // gap event.
    EventId start() const noexcept;

    // Where the replay ends: the log's head when the states were taken. A channel that had no record then has
    // no link to its later ones, so later records need a new replay, from the last event returned or, if
    // there was none, from start().
    uint64_t horizon() const noexcept { return horizon_; }

    // The next event of this part before `limit` and before the horizon (logical offsets) in the order of
    // ids. End: there is none, in particular until the seek is Ok; a greater limit may bring more, or the
    // next part. Lapped: the reader has fallen behind; make a new replay from the last event returned.
    ReadStatus next(uint64_t limit, ReplayEvent& event) noexcept;

    // After End: whether this part is over and the limit is past the break. Then the next part begins: a gap,
    // with a start of its own.
    bool passBreak(uint64_t limit) noexcept;

private:
    // How far back the seek of one channel is.
    struct Seek {
        uint64_t offset = kNoOffset; // the record that it has come to, whosever it is
        RecordHeader record{};
        uint64_t found = 0;      // events of the channel from there on
        uint64_t kept = 0;       // those of them that will be read
        bool isCounting = false; // all that will be read is found: it goes on to count what is missed
    };

    EventId newestBefore(const ReplayChannel& channel) const noexcept;
    bool jump(ReplayChannel& channel) noexcept;
    bool goBack(ReplayChannel& channel) noexcept;
    bool goTo(ReplayChannel& channel, uint64_t offset, const RecordHeader& record, bool isOwn,
              uint32_t events, uint64_t leastTime) noexcept;
    void finishSeek(bool missed) noexcept;
    void onSought() noexcept;
    void skipToBreak() noexcept;
    uint64_t nextOffset() const noexcept;
    void goOn(ReplayChannel& channel, const RecordHeader& record) noexcept;

    Log log_;
    std::span<ReplayChannel> channels_;
    EventId cursor_;
    History history_;
    uint64_t horizon_ = kNoOffset;
    Break break_;       // that is to be passed; without an offset: none is
    size_t sought_ = 0; // channels whose seek is done
    Seek seek_;         // of the next one
    Gap gap_ = Gap::None;
    uint64_t missed_ = 0;
    bool isCounted_ = true; // no channel has missed events that `missed_` does not count
    bool isBroken_ = false; // a link leads to no successor
};

// The id of the newest event of these channels to which its publisher gave that id; see
// Log::findPublisherId(). It may be newer than the channels' states.
std::optional<EventId> findPublisherId(const Log& log, std::span<const ReplayChannel> channels,
                                       std::string_view publisherId) noexcept;

} // namespace sse
