// Catching up: a subscriber that is behind reads the log by itself, from its cursor to the tip of its feed.
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
        Now,         // nothing that was there before is wanted
        PublisherId, // after the event that its publisher calls `requested`
    };
    Kind kind = Kind::Cursor;
    EventId cursor{};           // zero: the beginning of the log
    std::string_view requested; // the id as sent, valid as long as the request; empty: none
    History history;
};

class Catchup {
public:
    // Takes stock of the feed's channels, and determines the position that `from` stands for. NULL without
    // memory; the caller must ngx_free() it. `log` is the channels' zone's.
    static Catchup* make(LogWriter& log, Feed& feed, const Beginning& from) noexcept;

    // Searches for the start, through at most `steps` records; in one turn at most kTurnSteps.
    ReadStatus seek(uint32_t steps) noexcept;
    static constexpr uint32_t kTurnSteps = 8 * 1024;
    bool sought() const noexcept { return sought_; }
    // true once after the start has been found, and once more after a break: the time to report a gap.
    bool begins() noexcept { return sought_ && !std::exchange(begun_, true); }

    // After the seek.
    Gap gap() const noexcept { return replay_.gap(); }
    EventId start() const noexcept { return replay_.start(); }
    GapReason reason() const noexcept;
    GapCause cause() const noexcept; // the same, for the counters
    // The gap as a client that came with this id is told of it. A client without an id and without a cursor
    // has received nothing yet, so it has missed nothing, whatever is lost.
    Gap gapFor(std::string_view requested) const noexcept;
    // Calls tell(const GapFacts&), and returns its result.
    template <typename Tell>
    bool tellGap(std::string_view requested, Tell&& tell) const noexcept;

    enum class Progress {
        More,     // the batch is as large as it should be, or a gap follows
        AtTip,    // nothing is left before the tip
        Outdated, // the ring has moved on, or a channel has its first event: start again from the cursor
        NoMemory,
    };
    // Adds events to the batch, up to the tip of the feed, merged as the mode says. They all count, with the
    // bytes that they have in the log, so a batch that merging makes short takes no longer to read.
    Progress read(BatchRef& out, MergeMode mode) noexcept;
    // The same, unmerged, up to what was there when stock was taken, whether or not the feed has come that
    // far, and with `most` bytes for a batch.
    Progress readStock(BatchRef& out, size_t most) noexcept;

    // All events up to this one have been read. Before any is read, it is the position of the cursor; newer
    // than any event if the cursor is unknown.
    EventId cursor() const noexcept { return cursor_; }

    // The newest event of the zone when stock was taken.
    EventId lastId() const noexcept { return lastId_; }

    // Whether the client has received more than the zone has. Then it misses nothing, and events that come
    // here up to its cursor are not for it. This happens if another machine that copies the same stream is
    // ahead.
    bool isAhead() const noexcept { return isAhead_; }

    // How many subscribers the channels had when stock was taken, this one included; of several channels the
    // maximum.
    uint32_t subscribers() const noexcept;

    // Whether none of the channels had an event or an end. false for a client that is ahead: it knows better.
    bool isAbsent() const noexcept;

    // Whether all channels had ended then, and whether only their end is left to be read. Also false for a
    // client that is ahead.
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
