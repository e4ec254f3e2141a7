// Writes JSON strings (RFC 8259, section 7).
#pragma once

#include <cstddef>
#include <string_view>

namespace sse {

// Bytes that writeJson will write.
size_t jsonSize(std::string_view text) noexcept;

// Writes `text` as a JSON string, with its quotes: `"`, `\` and the control characters (isControl) are
// escaped, each sequence that is not UTF-8 becomes one U+FFFD, as browsers decode. C1, U+2028 and U+2029 need
// no escape in JSON, but end a line for some tools, and a string for old JavaScript. Returns the end of what
// was written; `out` has room for jsonSize(text).
char* writeJson(std::string_view text, char* out) noexcept;

} // namespace sse
