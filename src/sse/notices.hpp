// What a stream says besides its publishers' events: the first bytes, the position, gaps, and heartbeats.
//
// Each function appends one notice to `out`. It returns false without memory; then `out` may contain a part
// of the notice and must be discarded. Ids are texts of the log; types are valid (isEventType).
//
// The forms are what clients handle well, not only what the standard allows. A blank line stands only after
// an event, because several clients take one for an event. `retry` is repeated in the first event, because
// some clients apply it only there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sse/buffer.hpp"

namespace sse {

// The type of addReady's event unless the configuration names another, and that of addGap's.
inline constexpr std::string_view kReadyType = "ready";
inline constexpr std::string_view kGapType = "gap";

// The first bytes of a stream: a bare comment line, so that a client and the proxies in between see the
// stream begin, and a bare `retry` line.
bool addPreamble(Buffer& out, uint32_t retryMilliseconds) noexcept;

// The position of a client that has no id yet, so that it can come back to it. As an event of its own type;
bool addReady(Buffer& out, std::string_view id, std::string_view type, uint32_t retryMilliseconds) noexcept;
// as an empty `message`, whose id every client keeps;
bool addPrimingMessage(Buffer& out, std::string_view id) noexcept;
// as an id alone, which fires no event and which not every client keeps.
bool addPrimingId(Buffer& out, std::string_view id) noexcept;

enum class GapReason {
    Evicted, // the events are no longer in the log
    Unknown, // the log does not know the client's id
};

// Events are missing, so many if that is known. `requested` is the id that the client came with, any bytes;
// the next event will be the first after `start`.
bool addGap(Buffer& out, GapReason reason, std::string_view requested, std::string_view start,
            std::optional<uint64_t> missed) noexcept;

// After some silence: a bare comment line, or, with a type, an empty event without an id, so that it moves no
// cursor.
bool addHeartbeat(Buffer& out, std::string_view type) noexcept;

} // namespace sse
