#include "sse/base64.hpp"

#include <algorithm>
#include <cstdint>

namespace sse {

void base64Encode(std::string_view bytes, char* out) noexcept {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (!bytes.empty()) {
        const size_t taken = std::min<size_t>(bytes.size(), 3);
        uint32_t group = 0;
        for (size_t i = 0; i < 3; ++i) {
            group = group << 8 | (i < taken ? static_cast<uint8_t>(bytes[i]) : 0U);
        }
        for (size_t i = 0; i < 4; ++i, group <<= 6) {
            *out++ = i <= taken ? kAlphabet[group >> 18 & 63] : '=';
        }
        bytes.remove_prefix(taken);
    }
}

} // namespace sse
