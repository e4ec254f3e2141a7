#include "sse/publisher_id.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "sse/bytes.hpp"
#include "sse/percent.hpp"

namespace sse {

namespace {

bool isIdByte(char c) noexcept {
    return isDigit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && std::strchr("._~=+/-", c) != nullptr);
}

// Removes the digits that `text` begins with; false if there are none.
bool takeDigits(std::string_view& text) noexcept {
    const auto end = std::find_if_not(text.begin(), text.end(), isDigit);
    const auto length = static_cast<size_t>(end - text.begin());
    text.remove_prefix(length);
    return length != 0;
}

// Whether it would be read as an id of the log. Numbers of any size count: only the form matters.
bool hasLogForm(std::string_view text) noexcept {
    if (!takeDigits(text) || !text.starts_with('-')) {
        return false;
    }
    text.remove_prefix(1);
    return takeDigits(text) && (text.empty() || text.front() == '~');
}

// Whether it is the wire form of some id.
bool isOnWire(std::string_view text) noexcept {
    char plain[kMaxPublisherId];
    return text.size() <= kMaxPublisherId &&
           escapePublisherId({plain, percentDecode(text, plain)}).view() == text;
}

} // namespace

bool isPublisherId(std::string_view text) noexcept {
    return !text.empty() && escapePublisherId(text).view() == text;
}

PublisherId escapePublisherId(std::string_view text) noexcept {
    constexpr char kHex[] = "0123456789ABCDEF";
    PublisherId out;
    if (text.size() > kMaxPublisherId) {
        return out;
    }
    bool escapeDash = hasLogForm(text);
    for (const char& c : text) {
        if (isIdByte(c) && !(c == '-' && escapeDash)) {
            out.append({&c, 1});
            continue;
        }
        const char escape[] = {'%', kHex[static_cast<uint8_t>(c) >> 4], kHex[c & 0xf]};
        out.append({escape, sizeof(escape)});
        escapeDash = escapeDash && c != '-';
    }
    if (!out.isWhole()) {
        out.clear();
    }
    return out;
}

PublisherId publisherIdOnWire(std::string_view text) noexcept {
    return isOnWire(text) ? PublisherId(text) : escapePublisherId(text);
}

} // namespace sse
