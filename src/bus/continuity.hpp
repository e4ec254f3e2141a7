// Whether all entries of the stream have come. One may be trimmed or deleted before it has been read, and
// then nobody says so: XREAD goes on with the next. But the stream counts what has ever been added to it.
//
//   look: last 7-0, 100 added     the entries up to 7-0 come, then 8-0, 9-0
//   look: last 9-0, 105 added     five were added, two have come
//
// One that has had fewer than before has been deleted and begun anew, and then nobody knows what it had.
//
// Unknown remains what was missing before the first look at a place that the reader has reached.
#pragma once

#include <cstdint>
#include <optional>

#include "bus/stream_id.hpp"

namespace sse {

class Continuity {
public:
    // The next entry is the first after that position.
    void begin(StreamId position) noexcept;

    // The stream has been looked at, before it is asked for the next entries: its newest id, and how many
    // entries have been added. Servers before Redis 7 do not tell.
    void onLook(StreamId last, std::optional<uint64_t> added) noexcept;
    void onEntry(StreamId id) noexcept;
    // There was no entry when it was asked for some.
    void onNothing() noexcept;

    // Whether something is missing, until it has been told.
    bool hasMissed() const noexcept { return hasMissed_; }
    void onTold() noexcept { hasMissed_ = false; }
    // The newest id of the last look that the reader has reached.
    StreamId reached() const noexcept { return reached_ ? reached_->last : StreamId{}; }

private:
    struct Look {
        StreamId last;
        uint64_t added = 0;
    };

    void reach() noexcept;

    StreamId position_;
    std::optional<Look> reached_;
    uint64_t count_ = 0; // of entries since then
    std::optional<Look> ahead_;
    bool hasMissed_ = false;
};

} // namespace sse
