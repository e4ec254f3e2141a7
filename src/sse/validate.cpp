#include "sse/validate.hpp"

#include <algorithm>
#include <cstring>

#include "sse/encode.hpp"

namespace sse {

namespace {

// Where text that begins at `at` stops being ASCII, looking at eight bytes at a time; may stop up to seven
// bytes early.
const char* skipAscii(const char* at, const char* end) noexcept {
    constexpr uint64_t kHighBits = 0x8080808080808080;
    while (end - at >= 8) {
        uint64_t word;
        std::memcpy(&word, at, sizeof(word));
        if ((word & kHighBits) != 0) {
            break;
        }
        at += 8;
    }
    return at;
}

bool isControl(char c) noexcept {
    return static_cast<uint8_t>(c) < 0x20 || c == 0x7f;
}

bool isPrintableUtf8(std::string_view text) noexcept {
    return std::none_of(text.begin(), text.end(), isControl) && isUtf8(text);
}

bool isDigit(char c) noexcept {
    return c >= '0' && c <= '9';
}

bool isIdByte(char c) noexcept {
    return isDigit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && std::strchr("._~=+/-", c) != nullptr);
}

} // namespace

bool Utf8Checker::feed(std::string_view piece) noexcept {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    while (at != end) {
        if (needed_ == 0 && static_cast<uint8_t>(*at) < 0x80) {
            at = skipAscii(at, end);
            while (at != end && static_cast<uint8_t>(*at) < 0x80) {
                ++at;
            }
            continue;
        }
        if (!step(static_cast<uint8_t>(*at))) {
            break;
        }
        ++at;
    }
    return low_ <= high_;
}

bool Utf8Checker::step(uint8_t byte) noexcept {
    if (needed_ == 0) {
        return begin(byte);
    }
    if (byte < low_ || byte > high_) {
        return refuse();
    }
    --needed_;
    low_ = 0x80;
    high_ = 0xbf;
    return true;
}

// The lead byte says how many bytes follow, and four lead bytes narrow the range of the next one: E0 and F0
// against overlong forms, ED against surrogates, F4 against what lies above U+10FFFF.
bool Utf8Checker::begin(uint8_t lead) noexcept {
    if (lead >= 0xc2 && lead <= 0xdf) {
        needed_ = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        needed_ = 2;
        low_ = lead == 0xe0 ? 0xa0 : 0x80;
        high_ = lead == 0xed ? 0x9f : 0xbf;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        needed_ = 3;
        low_ = lead == 0xf0 ? 0x90 : 0x80;
        high_ = lead == 0xf4 ? 0x8f : 0xbf;
    } else {
        return refuse();
    }
    return true;
}

// One more byte is wanted, and there is none that would do.
bool Utf8Checker::refuse() noexcept {
    needed_ = 1;
    low_ = 0xff;
    high_ = 0;
    return false;
}

bool isUtf8(std::string_view text) noexcept {
    Utf8Checker checker;
    return checker.feed(text) && checker.complete();
}

bool isChannelName(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxChannelName && isPrintableUtf8(text);
}

bool isEventType(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxEventType && text.front() != ' ' && isPrintableUtf8(text);
}

bool isOwnId(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxOwnId && std::all_of(text.begin(), text.end(), isIdByte);
}

std::optional<uint32_t> parseRetry(std::string_view text) noexcept {
    if (text.empty() || !std::all_of(text.begin(), text.end(), isDigit)) {
        return std::nullopt;
    }
    uint32_t value = 0;
    for (char digit : text) {
        value =
            std::min(value * 10 + static_cast<uint32_t>(digit - '0'), kMaxRetry); // times 10 it still fits
    }
    return std::max(value, kMinRetry);
}

} // namespace sse
