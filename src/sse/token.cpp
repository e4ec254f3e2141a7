#include "sse/token.hpp"

#include <algorithm>
#include <cstring>

namespace sse {

namespace {

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool isTokenByte(char c) noexcept {
    const char letter = lower(c);
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

bool isBlank(char c) noexcept {
    return c == ' ' || c == '\t';
}

} // namespace

bool isToken(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), isTokenByte);
}

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && isBlank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && isBlank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

bool equalTokens(std::string_view left, std::string_view right) noexcept {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](char a, char b) { return a == b || lower(a) == lower(b); });
}

bool hasToken(std::string_view list, std::string_view token) noexcept {
    while (!list.empty()) {
        const size_t length = std::min(list.find(','), list.size());
        if (equalTokens(trimmed(list.substr(0, length)), token)) {
            return true;
        }
        list.remove_prefix(std::min(length + 1, list.size()));
    }
    return false;
}

} // namespace sse
