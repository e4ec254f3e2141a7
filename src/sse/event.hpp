// An event as its publisher gave it, and limits of what a publisher may choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sse {

// The values have been validated; `data` may have any line ends. The texts belong to the caller.
struct Event {
    std::string_view type = {}; // empty: a `message`
    std::string_view data = {};
    // May be empty; not rendered with the fields: the log puts it after its own id (IdLine).
    std::string_view publisherId = {};
    uint32_t retryMilliseconds = 0; // 0: none
};

// Bytes of a channel's name, in a request and in the records of a log. Another copy of the module that reads
// the same log has no room for longer ones, so a change needs another kLayoutVersion.
inline constexpr size_t kMaxChannelName = 255;

// A publisher's `retry` is kept between these, in milliseconds: with less, browsers would come back hundreds
// of times a second.
inline constexpr uint32_t kMinRetry = 250;
inline constexpr uint32_t kMaxRetry = 3600 * 1000;

} // namespace sse
