// Renders events as SSE bytes (WHATWG HTML 9.2.5): LF only, "name: value" with one space, a blank line at the
// end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sse {

// An event as its publisher gave it. The values have been validated; `data` may hold any line ends.
struct Event {
    std::string_view type; // empty: a `message`
    std::string_view data;
    // The publisher's id, may be empty; not rendered here, the log puts it behind its own.
    std::string_view ownId;
    uint32_t retryMilliseconds = 0; // 0: none
};

// `retry:` is kept between these: below, browsers come back hundreds of times a second.
inline constexpr uint32_t kMinRetry = 250;
inline constexpr uint32_t kMaxRetry = 3600 * 1000;

// Bytes that encodeFields will write.
size_t encodedSize(const Event& event) noexcept;

// Writes everything behind the id line, in the order event, retry, data, and the closing blank line. CRLF, CR
// and LF in the data each end a line; data that is empty is one empty line. `retry` is clamped. Returns the
// end of what was written; `out` has room for encodedSize(event).
char* encodeFields(const Event& event, char* out) noexcept;

} // namespace sse
