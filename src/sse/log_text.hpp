// A foreign text, such as the name of a channel or a reply of Redis, as it appears in a line of the error
// log.
#pragma once

#include <cstddef>
#include <string_view>

namespace sse {

// For as long as the object lives. Everything but printable ASCII, and `"` and `\`, becomes \xHH, as in an
// access log: so nothing can end the line, or the quotes around it, or move a terminal. What is longer is cut
// off.
class LogText {
public:
    explicit LogText(std::string_view text) noexcept {
        for (const char c : text) {
            if (size_ > kMost) {
                text_[size_++] = '.';
                text_[size_++] = '.';
                return;
            }
            append(static_cast<unsigned char>(c));
        }
    }

    std::string_view view() const noexcept { return {text_, size_}; }

private:
    static constexpr size_t kMost = 200;

    void append(unsigned char c) noexcept {
        if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
            text_[size_++] = static_cast<char>(c);
            return;
        }
        constexpr char kDigits[] = "0123456789ABCDEF";
        for (const char digit : {'\\', 'x', kDigits[c >> 4], kDigits[c & 15]}) {
            text_[size_++] = digit;
        }
    }

    char text_[kMost + 8];
    size_t size_ = 0;
};

} // namespace sse
