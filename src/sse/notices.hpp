// What a stream says besides its publishers' events: the first bytes, the position, gaps, heartbeats, and the
// end.
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

class JsonWriter;

// The types of addReady's, addGap's and addExpired's events unless the configuration names others.
inline constexpr std::string_view kReadyType = "ready";
inline constexpr std::string_view kGapType = "gap";
inline constexpr std::string_view kExpiredType = "expired";

// The first bytes of a stream: a comment line, so that a client and the proxies in between see the stream
// begin, and a bare `retry` line. The comment is bare or, with `isPadded`, has 2 KB, because old browsers and
// some proxies hold that much back.
bool addPreamble(Buffer& out, uint32_t retryMilliseconds, bool isPadded = false) noexcept;

// The position of a client that has no id yet, so that it can come back to it. As an event of its own type;
bool addReady(Buffer& out, std::string_view id, std::string_view type, uint32_t retryMilliseconds) noexcept;
// as an empty `message`, whose id every client keeps.
bool addPrimingMessage(Buffer& out, std::string_view id) noexcept;

enum class GapReason {
    Evicted, // the events are no longer in the log
    Unknown, // the log does not know the client's id
    Lost,    // the source of the events has lost some, or may have
};

// What a gap event tells. `requested` is the id that the client came with, any bytes; the next event will be
// the first after `start`.
struct GapFacts {
    GapReason reason;
    std::string_view requested;
    std::string_view start;
    std::optional<uint64_t> missed; // how many events, if that is known
};

// The facts as members of an object, for everything that tells a client of a gap.
void addFacts(JsonWriter& json, const GapFacts& facts) noexcept;

// Events are missing.
bool addGap(Buffer& out, std::string_view type, const GapFacts& facts) noexcept;

// The client has received everything that was there when it came, and now waits for new events.
bool addCaughtUp(Buffer& out, std::string_view id, std::string_view type) noexcept;

// The client's access expires at that time, in seconds since 1970, and the stream ends then.
bool addExpired(Buffer& out, std::string_view type, uint64_t seconds) noexcept;

// What a stream says when its channels have ended.
struct EndForm {
    std::optional<std::string_view> type; // nothing: there is no event. Empty: it has no type
    std::string_view data;                // without a line end
    std::optional<uint32_t> retry;        // milliseconds
};

// The channels have ended. An event without a type is the data alone, byte for byte, as clients of model
// streams expect it. Otherwise `retry` keeps clients away that ask again after a 204.
bool addEnd(Buffer& out, const EndForm& form) noexcept;

// After some silence: a bare comment line, or, with a type, an empty event without an id, so that it moves no
// cursor.
bool addHeartbeat(Buffer& out, std::string_view type) noexcept;

} // namespace sse
