// Catching up: a subscriber that is behind reads the log for itself, from its cursor to the tip of its feed.
#pragma once

#include "counters/counts.hpp"
#include "fanout/tail.hpp"
#include "log/replay.hpp"
#include "output/batch.hpp"
#include "sse/merge.hpp"
#include "sse/notices.hpp"

namespace sse {

// Where a client begins.
struct Beginning {
    enum class Kind : uint8_t {
        Cursor,      // after `cursor`
        Now,         // nothing is wanted that was there before
        PublisherId, // after the event that its publisher calls `requested`
    };
    Kind kind = Kind::Cursor;
    EventId cursor{};           // zero: the beginning of the log
    std::string_view requested; // the id as sent, valid as long as the request; empty: none
    History history;
};

class Catchup {
public:
    // Takes stock of the feed's channels, and finds out what the beginning means. NULL without memory;
    // ngx_free() it. `log` is their zone's.
    static Catchup* make(LogWriter& log, Feed& feed, const Beginning& from) noexcept;

    // Searches for the start, through at most so many records; in one turn at most kTurnSteps.
    ReadStatus seek(uint32_t steps) noexcept;
    static constexpr uint32_t kTurnSteps = 8 * 1024;
    bool sought() const noexcept { return sought_; }
    // true once after the start has been found, and once more after a break: the time to report a gap.
    bool begins() noexcept { return sought_ && !std::exchange(begun_, true); }

    // After the seek.
    Gap gap() const noexcept { return replay_.gap(); }
    EventId start() const noexcept { return replay_.start(); }
    GapReason reason() const noexcept;
    GapCause cause() const noexcept; // the same as it is counted
    // The gap as a client is told of it that came with this id: one without an id and without a cursor, which
    // has got nothing yet, has missed nothing, whatever is lost.
    Gap gapFor(std::string_view requested) const noexcept;
    // Returns what tell(const GapFacts&) does.
    template <typename Tell>
    bool tellGap(std::string_view requested, Tell&& tell) const noexcept;

    enum class Progress {
        More,     // the batch is as large as it should be, or a gap follows
        AtTip,    // nothing is left before the tip
        Outdated, // the ring has moved on, or a channel has its first event: start again from the cursor
        NoMemory,
    };
    // Adds events to the batch, up to the tip of the feed, merged as the mode says. They all count, and so do
    // the bytes that they have in the log, so that a batch takes no longer to read if it becomes short by
    // merging.
    Progress read(BatchRef& out, MergeMode mode) noexcept;
    // The same, unmerged, up to what was there when stock was taken, whether the feed has come so far or not,
    // and with `most` bytes for a batch.
    Progress readStock(BatchRef& out, size_t most) noexcept;

    // What has been read; before that, the position of the cursor, newer than any event if it is unknown.
    EventId cursor() const noexcept { return cursor_; }

    // The newest event of the zone when stock was taken.
    EventId lastId() const noexcept { return lastId_; }

    // Whether the client has got more than the zone has. It misses nothing then, and what comes here up to
    // its cursor is not for it. So it can be where another machine copies the same stream and is ahead.
    bool isAhead() const noexcept { return isAhead_; }

    // How many subscribers the channels had then, this one included; of several channels the maximum.
    uint32_t subscribers() const noexcept;

    // Whether none of the channels had an event, nor an end. A client that is ahead knows better.
    bool isAbsent() const noexcept;

    // Whether all channels had ended then, and whether only their end is left to be read. The same holds.
    bool ended() const noexcept;
    bool onlyTheEnd() const noexcept;

private:
    Catchup(Feed& feed, EventId cursor, EventId lastId, const History& history) noexcept;
    static Catchup* allocate(Feed& feed) noexcept;
    static EventId positionOf(const Beginning& from, const Log& log,
                              std::span<const ReplayChannel> channels) noexcept;
    static std::span<ReplayChannel> takeStock(LogWriter& log, Feed& feed, Catchup* memory) noexcept;
    std::span<ReplayChannel> channels() const noexcept;
    Progress readUntil(uint64_t limit, size_t most, MergeMode mode, BatchRef& out) noexcept;

    Feed& feed_;
    EventId cursor_;
    EventId lastId_;
    bool isAhead_;
    bool sought_ = false;
    bool begun_ = false;   // begins() has said so
    bool holding_ = false; // `event_` has been read from the replay and did not fit
    Replay replay_;
    ReplayEvent event_;
};

template <typename Tell>
bool Catchup::tellGap(std::string_view requested, Tell&& tell) const noexcept {
    const EventIdText cursor(cursor_);
    const EventIdText start(this->start());
    return tell(GapFacts{.reason = reason(),
                         .requested = requested.empty() ? cursor.view() : requested,
                         .start = start.view(),
                         .missed = replay_.missed()});
}

} // namespace sse
