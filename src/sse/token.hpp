// Words of HTTP header fields (RFC 9110, section 5.6).
#pragma once

#include <string_view>

namespace sse {

// Whether it may be the name of a header.
bool isToken(std::string_view text) noexcept;

// The text without leading and trailing spaces and tabs.
std::string_view trimmed(std::string_view text) noexcept;

// Ignores case.
bool equalTokens(std::string_view left, std::string_view right) noexcept;

// Whether a list separated by commas has that token.
bool hasToken(std::string_view list, std::string_view token) noexcept;

} // namespace sse
