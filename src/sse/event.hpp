// An event as its publisher gave it, and the limits of what it may say.
#pragma once

#include <cstdint>
#include <string_view>

namespace sse {

// The values have been validated; `data` may hold any line ends. The texts belong to whoever made the event.
struct Event {
    std::string_view type; // empty: a `message`
    std::string_view data;
    // May be empty; not rendered with the fields, the log puts it after its own (IdLine).
    std::string_view publisherId;
    uint32_t retryMilliseconds = 0; // 0: none
};

// A publisher's `retry` is kept between these, in milliseconds: below, browsers come back hundreds of times a
// second.
inline constexpr uint32_t kMinRetry = 250;
inline constexpr uint32_t kMaxRetry = 3600 * 1000;

} // namespace sse
