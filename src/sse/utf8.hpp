// UTF-8 as Unicode defines it (version 15, table 3-7): no overlong forms, no surrogates, nothing above
// U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sse/buffer.hpp"

namespace sse {

// What a text begins with.
struct Character {
    static constexpr char32_t kInvalid = 0xffffffff; // the code of an invalid sequence

    char32_t code;
    size_t length; // bytes; of an invalid sequence the longest prefix of a character, at least 1

    bool isValid() const noexcept { return code != kInvalid; }
};

// The first character of `text`, which is not empty.
Character firstCharacter(std::string_view text) noexcept;

// Writes a character, which is no surrogate and not above U+10FFFF, and returns its length. `out` has room
// for 4 bytes.
size_t writeUtf8(char32_t code, char* out) noexcept;

// Bytes of the whole characters that `text` begins with.
size_t validLength(std::string_view text) noexcept;

// What decoders put in place of an invalid sequence: U+FFFD.
inline constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool isUtf8(std::string_view text) noexcept;

// The result of repairing a text: each invalid sequence, as long as it could have been a character (the
// "maximal subpart"), becomes one U+FFFD, as browsers decode. The text never becomes shorter, and at most
// three times as long.
struct Repair {
    size_t size;     // bytes
    size_t replaced; // invalid sequences; 0: the text is UTF-8 and stays as it is
};
Repair planRepair(std::string_view text) noexcept;

// Writes the repaired text and returns its end. `out` has room for planRepair(text).size bytes; `text` may
// lie in that room if both end at the same place.
char* repairUtf8(std::string_view text, char* out) noexcept;

// Repairs in place what the buffer holds from `from` on, given the plan for it. `limit` is as for
// Buffer::extend. false without memory.
bool repairUtf8(Buffer& buffer, size_t from, const Repair& plan, size_t limit = SIZE_MAX) noexcept;

// C0, DEL, C1, and the two characters that end a line where neither CR nor LF does: U+2028 and U+2029.
bool isControl(char32_t code) noexcept;

// Whether it is UTF-8 without control characters.
bool isPrintableUtf8(std::string_view text) noexcept;

} // namespace sse
