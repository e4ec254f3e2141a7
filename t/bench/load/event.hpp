// The text of the events: "#", a number of ten digits, and letters up to the size that is asked for.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace bench {

constexpr size_t kDigits = 10;
constexpr size_t kSmallestEvent = 1 + kDigits;
constexpr uint32_t kNoNumber = UINT32_MAX;

inline void writeNumber(char* text, uint32_t number) {
    for (size_t i = kDigits; i > 0; i--, number /= 10) {
        text[i] = static_cast<char>('0' + number % 10);
    }
}

inline std::string eventText(uint32_t number, size_t size) {
    std::string text(size < kSmallestEvent ? kSmallestEvent : size, 'x');
    text[0] = '#';
    writeNumber(text.data(), number);
    return text;
}

// The number of an event; kNoNumber if the text is of something else.
inline uint32_t numberOf(std::string_view text) {
    if (text.size() < kSmallestEvent || text[0] != '#') {
        return kNoNumber;
    }
    uint32_t number = 0;
    for (size_t i = 1; i <= kDigits; i++) {
        number = number * 10 + static_cast<uint32_t>(text[i] - '0');
    }
    return number;
}

} // namespace bench
