// Event ids: "<milliseconds>-<sequence>", in one order for the whole zone, like the ids of a Redis Stream.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sse {

struct EventId {
    uint64_t milliseconds = 0; // Unix time, but never less than that of the previous event
    uint64_t sequence = 0;     // counts events of the same millisecond, in steps of kLineages

    auto operator<=>(const EventId&) const = default;
};

// A sequence modulo kLineages is the lineage of the log that issued the id: a number from 1 to kLineages - 1
// that each log draws when it is created, and passes to the log that takes over from it. The clock alone does
// not distinguish logs: two of them exist at once while nginx is upgraded, and the clock may be set back
// before the next one is created. Without a lineage an id of one log could be a place in the middle of
// another, and a client that comes back with it would miss events unnoticed.
inline constexpr uint64_t kLineages = 65536;

// Whether a log of that lineage can have issued the id. An id whose sequence is 0 is a moment written by
// hand, valid in any log.
bool isOfLineage(EventId id, uint64_t lineage) noexcept;

// The longest text of an id: two 64-bit numbers and a dash.
inline constexpr size_t kMaxEventIdText = 41;

// Writes the text of an id to `out`, which has room for kMaxEventIdText bytes; returns its length.
size_t formatEventId(EventId id, char* out) noexcept;

// The text of an id, for as long as the object lives.
class EventIdText {
public:
    explicit EventIdText(EventId id) noexcept : length_(formatEventId(id, text_)) {}
    std::string_view view() const noexcept { return {text_, length_}; }

private:
    char text_[kMaxEventIdText];
    size_t length_;
};

// Reads "<digits>-<digits>" and nothing else; numbers that do not fit 64 bits are no id.
std::optional<EventId> parseEventId(std::string_view text) noexcept;

// The id of the next event: always greater than `last`, even if the clock has been set back.
EventId nextEventId(EventId last, uint64_t nowMilliseconds, uint64_t lineage) noexcept;

} // namespace sse
