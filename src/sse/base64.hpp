// Bytes as text (RFC 4648, section 4), so that an event can carry any of them.
#pragma once

#include <cstddef>
#include <string_view>

namespace sse {

// Bytes of the text that so many bytes become.
constexpr size_t base64Size(size_t bytes) noexcept {
    return (bytes + 2) / 3 * 4;
}

// Writes base64Size(bytes.size()) bytes to `out`, with padding and without line ends.
void base64Encode(std::string_view bytes, char* out) noexcept;

} // namespace sse
