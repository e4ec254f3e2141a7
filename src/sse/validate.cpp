#include "sse/validate.hpp"

#include <algorithm>

#include "sse/bytes.hpp"

namespace sse {

bool isChannelName(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxChannelName && isPrintableUtf8(text);
}

bool isEventType(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxEventType && text.front() != ' ' && isPrintableUtf8(text);
}

bool isDataLine(std::string_view text) noexcept {
    return isPrintableUtf8(text);
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

std::optional<bool> parseFlag(std::string_view text) noexcept {
    const bool isYes = text.empty() || text == "1" || text == "true";
    return isYes || text == "0" || text == "false" ? std::optional(isYes) : std::nullopt;
}

} // namespace sse
