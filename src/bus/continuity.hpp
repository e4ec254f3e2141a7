// Whether all entries of the stream have come. An entry may be trimmed or deleted before it is read, and
// XREAD does not report that: it goes on with the next one. But the stream counts all entries that have ever
// been added to it.
//
//   look: last 7-0, 100 added     the entries up to 7-0 come, then 8-0, 9-0
//   look: last 9-0, 105 added     five were added, two have come
//
// If that count is lower than before, the stream has been deleted and begun again, and what it had is not
// known.
//
// What was missing before the first look that the reader has reached remains unknown.
#pragma once

#include <cstdint>
#include <optional>

#include "bus/stream_id.hpp"

namespace sse {

class Continuity {
public:
    // The next entry is the first after that position.
    void begin(StreamId position) noexcept;

    // The stream has been looked at before it is asked for the next entries. `last`: its newest id. `added`:
    // how many entries have been added; servers before Redis 7 do not report that.
    void onLook(StreamId last, std::optional<uint64_t> added) noexcept;
    void onEntry(StreamId id) noexcept;
    // The stream was asked for entries, and had none.
    void onNothing() noexcept;

    // Whether something is missing that has not been told yet.
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
    uint64_t count_ = 0; // entries since then
    std::optional<Look> ahead_;
    bool hasMissed_ = false;
};

} // namespace sse
