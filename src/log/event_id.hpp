// Event ids: "<milliseconds>-<sequence>", in one order for the whole zone, like the ids of a Redis Stream.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sse {

struct EventId {
    uint64_t milliseconds = 0; // Unix time, but never less than that of the event before
    uint64_t sequence = 0;     // counts events of the same millisecond

    auto operator<=>(const EventId&) const = default;
};

// The longest text of an id: two 64-bit numbers and a dash.
inline constexpr size_t kMaxEventIdText = 41;

// Writes the text of an id to `out`, which has room for kMaxEventIdText bytes; returns its length.
size_t formatEventId(EventId id, char* out) noexcept;

// Reads "<digits>-<digits>" and nothing else; numbers that do not fit 64 bits are no id.
std::optional<EventId> parseEventId(std::string_view text) noexcept;

// The id of the next event: never less than or equal to `last`, even when the clock was set back.
EventId nextEventId(EventId last, uint64_t nowMilliseconds) noexcept;

} // namespace sse
