// Decodes what a URL's query carries percent-encoded (RFC 3986, section 2.1).
#pragma once

#include <cstddef>
#include <string_view>

namespace sse {

// Decodes `text` into `out`, which has room for text.size() bytes and may be where `text` is; returns the
// length. A `%` without two hex digits behind it stays as it is, and so does `+`: that means a space in forms
// only.
size_t percentDecode(std::string_view text, char* out) noexcept;

} // namespace sse
