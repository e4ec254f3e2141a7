// Catching up: a subscriber that is behind reads the log for itself, from its cursor to the tip of its feed.
#pragma once

#include "fanout/tail.hpp"
#include "log/replay.hpp"
#include "output/batch.hpp"
#include "sse/merge.hpp"

namespace sse {

class Catchup {
public:
    // Takes stock of the feed's channels. NULL without memory; ngx_free() it. `log` is their zone's.
    static Catchup* make(LogWriter& log, Feed& feed, EventId cursor, const History& history) noexcept;

    // The same from the event to which its publisher gave that id; unknown to the log if there is none.
    static Catchup* makeFromPublisherId(LogWriter& log, Feed& feed, std::string_view publisherId,
                                        const History& history) noexcept;

    // Searches for the start, through at most so many records.
    ReadStatus seek(uint32_t steps) noexcept;
    bool sought() const noexcept { return sought_; }
    // true once, after the start has been found: the time to report a gap.
    bool begins() noexcept { return sought_ && !std::exchange(begun_, true); }

    // After the seek.
    Gap gap() const noexcept { return replay_.gap(); }
    EventId start() const noexcept { return replay_.start(); }
    std::optional<uint64_t> missed() const noexcept { return replay_.missed(); }

    enum class Progress {
        More,     // the batch is as large as it should be
        AtTip,    // nothing is left before the tip
        Outdated, // the ring has moved on, or a channel has its first event: start again from the cursor
        NoMemory,
    };
    // Adds events to the batch, merged as the mode says. They all count, and so do the bytes that they have
    // in the log, so that a batch takes no longer to read if it becomes short by merging.
    Progress read(BatchRef& out, MergeMode mode) noexcept;

    // The position of the cursor; newer than any event if it is unknown.
    EventId cursor() const noexcept { return cursor_; }

    // The newest event of the zone when stock was taken.
    EventId lastId() const noexcept { return lastId_; }

    // How many subscribers the channels had then, this one included; of several channels the maximum.
    uint32_t subscribers() const noexcept;

    // Whether none of the channels had an event, nor an end.
    bool isAbsent() const noexcept;

    // Whether all channels had ended then, and whether only their end is left to be read.
    bool ended() const noexcept;
    bool onlyTheEnd() const noexcept;

private:
    Catchup(Feed& feed, EventId cursor, EventId lastId, const History& history) noexcept;
    static Catchup* allocate(Feed& feed) noexcept;
    static std::span<ReplayChannel> takeStock(LogWriter& log, Feed& feed, Catchup* memory) noexcept;
    std::span<ReplayChannel> channels() const noexcept;

    Feed& feed_;
    EventId cursor_;
    EventId lastId_;
    bool sought_ = false;
    bool begun_ = false;
    bool holding_ = false; // `event_` has been read from the replay and did not fit
    Replay replay_;
    ReplayEvent event_;
};

} // namespace sse
