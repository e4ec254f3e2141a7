#include "sse/percent.hpp"

namespace sse {

int hexValue(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

size_t percentDecode(std::string_view text, char* out) noexcept {
    size_t length = 0;
    for (size_t at = 0; at < text.size(); ++at) {
        char c = text[at];
        if (c == '%' && text.size() - at > 2) {
            const int high = hexValue(text[at + 1]);
            const int low = hexValue(text[at + 2]);
            if (high >= 0 && low >= 0) {
                c = static_cast<char>(high * 16 + low);
                at += 2;
            }
        }
        out[length++] = c;
    }
    return length;
}

} // namespace sse
