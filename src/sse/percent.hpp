// Decodes percent-encoded text of a query (RFC 3986, section 2.1).
#pragma once

#include <cstddef>
#include <string_view>

namespace sse {

// The value of a hex digit, or -1.
int hexValue(char c) noexcept;

// Decodes `text` into `out`, which has room for text.size() bytes and may be where `text` is; returns the
// length. A `%` without two hex digits after it stays as it is, and so does `+`, which means a space only in
// forms.
size_t percentDecode(std::string_view text, char* out) noexcept;

} // namespace sse
