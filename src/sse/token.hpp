// Words of HTTP header fields (RFC 9110, section 5.6).
#pragma once

#include <string_view>

namespace sse {

// What the name of a header is.
bool isToken(std::string_view text) noexcept;

// The text without spaces and tabs around it.
std::string_view trimmed(std::string_view text) noexcept;

// Without regard to case.
bool equalTokens(std::string_view left, std::string_view right) noexcept;

// Whether a list, which is separated by commas, has that token.
bool hasToken(std::string_view list, std::string_view token) noexcept;

} // namespace sse
