// Catching up: a subscriber that is behind reads the log for itself, from its cursor to the tip of its feed.
#pragma once

#include "fanout/tail.hpp"
#include "log/replay.hpp"
#include "output/batch.hpp"

namespace sse {

class Catchup {
public:
    // Takes stock of the feed's channels. NULL without memory; ngx_free() it.
    static Catchup* make(Feed& feed, EventId cursor, const History& history) noexcept;

    // The same from the event to which its publisher gave that id; unknown to the log if there is none.
    static Catchup* makeFromPublisherId(Feed& feed, std::string_view publisherId,
                                        const History& history) noexcept;

    // Looks for the place to begin, for that many records at most.
    ReadStatus seek(uint32_t steps) noexcept;
    bool sought() const noexcept { return sought_; }
    // true once, after the place has been found: the moment to tell about a gap.
    bool begins() noexcept { return sought_ && !std::exchange(begun_, true); }

    // Once sought.
    Gap gap() const noexcept { return replay_.gap(); }
    EventId start() const noexcept { return replay_.start(); }

    enum class Progress {
        More,     // the batch is as large as it should get
        AtTip,    // nothing is left before the tip
        Outdated, // the ring has moved on, or channels have got their first event: begin again from the
                  // cursor
        NoMemory,
    };
    // Adds events to the batch.
    Progress read(BatchRef& out) noexcept;

    // What the cursor means; newer than any event if it is unknown.
    EventId cursor() const noexcept { return cursor_; }

    // The newest event of the zone when stock was taken.
    EventId lastId() const noexcept { return lastId_; }

    // How many subscribers the channels had then, this one included; of several channels the most.
    uint32_t subscribers() const noexcept;

    // Whether all channels had ended then, and whether nothing but their end is left to be read.
    bool ended() const noexcept;
    bool onlyTheEnd() const noexcept;

private:
    Catchup(Feed& feed, EventId cursor, EventId lastId, const History& history) noexcept;
    static Catchup* allocate(Feed& feed) noexcept;
    static EventId takeStock(Feed& feed, ReplayChannel* channels) noexcept;
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
