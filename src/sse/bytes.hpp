// Helpers for single bytes and runs of bytes.
#pragma once

#include <cstring>
#include <string_view>

namespace sse {

// An ASCII digit, whatever the locale says.
constexpr bool isDigit(char c) noexcept {
    return c >= '0' && c <= '9';
}

// Copies the text to `out`, which has room for it, and returns its end there.
inline char* put(char* out, std::string_view text) noexcept {
    if (!text.empty()) {
        std::memcpy(out, text.data(), text.size());
    }
    return out + text.size();
}

} // namespace sse
