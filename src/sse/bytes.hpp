// What is done with single bytes, and with runs of them, in many places.
#pragma once

#include <cstring>
#include <string_view>

namespace sse {

// One of ASCII, whatever the locale says.
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
