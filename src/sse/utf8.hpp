// UTF-8 as Unicode has it (version 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace sse {

// What a text begins with.
struct Character {
    static constexpr char32_t kInvalid = 0xffffffff; // the code of what is no character

    char32_t code;
    size_t length; // bytes; of an invalid sequence, as far as it could have been a character, at least 1

    bool isValid() const noexcept { return code != kInvalid; }
};

// The first character of `text`, which is not empty.
Character firstCharacter(std::string_view text) noexcept;

// Bytes of whole characters that `text` begins with.
size_t validLength(std::string_view text) noexcept;

// What a decoder puts in place of an invalid sequence: U+FFFD.
inline constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool isUtf8(std::string_view text) noexcept;

// C0, DEL, C1, and the two characters that end a line where neither CR nor LF does: U+2028 and U+2029.
bool isControl(char32_t code) noexcept;

// Whether it is UTF-8 without control characters.
bool isPrintableUtf8(std::string_view text) noexcept;

} // namespace sse
