#include "sse/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace sse {

namespace {

bool isAscii(char c) noexcept {
    return static_cast<uint8_t>(c) < 0x80;
}

// Where text that begins at `at` stops being ASCII, checking eight bytes at a time.
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
    while (at != end && isAscii(*at)) {
        ++at;
    }
    return at;
}

// What follows a lead byte.
struct Sequence {
    uint8_t more; // continuation bytes; 0: it is no lead byte of a sequence
    uint8_t low;  // range of the first of them; the others are 80 to BF
    uint8_t high;
};

// Four lead bytes narrow the range of the next one: E0 and F0 against overlong forms, ED against surrogates,
// F4 against what exceeds U+10FFFF.
Sequence sequenceOf(uint8_t lead) noexcept {
    if (lead >= 0xc2 && lead <= 0xdf) {
        return {1, 0x80, 0xbf};
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return {2, static_cast<uint8_t>(lead == 0xe0 ? 0xa0 : 0x80),
                static_cast<uint8_t>(lead == 0xed ? 0x9f : 0xbf)};
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        return {3, static_cast<uint8_t>(lead == 0xf0 ? 0x90 : 0x80),
                static_cast<uint8_t>(lead == 0xf4 ? 0x8f : 0xbf)};
    }
    return {0, 0, 0};
}

// Calls `keep` with the valid parts, which may be empty, before, between and after the invalid sequences, and
// `replace` for each of these.
template <typename Keep, typename Replace>
void eachPart(std::string_view text, Keep&& keep, Replace&& replace) noexcept {
    for (;;) {
        const size_t valid = validLength(text);
        keep(std::string_view(text.data(), valid));
        text.remove_prefix(valid);
        if (text.empty()) {
            return;
        }
        const size_t invalid = firstCharacter(text).length;
        text.remove_prefix(invalid);
        replace();
    }
}

} // namespace

Character firstCharacter(std::string_view text) noexcept {
    const auto lead = static_cast<uint8_t>(text.front());
    if (lead < 0x80) {
        return {lead, 1};
    }
    auto [more, low, high] = sequenceOf(lead);
    char32_t code = lead & (0x3fu >> more);
    for (size_t length = 1; length <= more; ++length) {
        const uint8_t byte = length < text.size() ? static_cast<uint8_t>(text[length]) : 0;
        if (byte < low || byte > high) {
            return {Character::kInvalid, length};
        }
        code = code << 6 | (byte & 0x3fu);
        low = 0x80;
        high = 0xbf;
    }
    return {more == 0 ? Character::kInvalid : code, 1u + more};
}

size_t writeUtf8(char32_t code, char* out) noexcept {
    if (code < 0x80) {
        *out = static_cast<char>(code);
        return 1;
    }
    const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t at = length - 1; at != 0; --at, code >>= 6) {
        out[at] = static_cast<char>(0x80 | (code & 0x3f));
    }
    out[0] = static_cast<char>((0xf00u >> length & 0xf0) | code);
    return length;
}

size_t validLength(std::string_view text) noexcept {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        if (isAscii(*at)) {
            at = skipAscii(at, end);
            continue;
        }
        const Character character = firstCharacter({at, static_cast<size_t>(end - at)});
        if (!character.isValid()) {
            break;
        }
        at += character.length;
    }
    return static_cast<size_t>(at - text.data());
}

bool isUtf8(std::string_view text) noexcept {
    return validLength(text) == text.size();
}

Repair planRepair(std::string_view text) noexcept {
    Repair repair{0, 0};
    eachPart(
        text, [&](std::string_view valid) noexcept { repair.size += valid.size(); },
        [&]() noexcept {
            repair.size += kReplacement.size();
            ++repair.replaced;
        });
    return repair;
}

// Writing never gets ahead of reading: no replacement is shorter than what it replaces, and `out` begins
// ahead of `text` by as much as the text grows.
char* repairUtf8(std::string_view text, char* out) noexcept {
    eachPart(
        text,
        [&](std::string_view valid) noexcept {
            std::memmove(out, valid.data(), valid.size());
            out += valid.size();
        },
        [&]() noexcept {
            std::memcpy(out, kReplacement.data(), kReplacement.size());
            out += kReplacement.size();
        });
    return out;
}

bool repairUtf8(Buffer& buffer, size_t from, const Repair& plan, size_t limit) noexcept {
    const size_t size = buffer.size() - from;
    if (plan.replaced == 0) {
        return true;
    }
    if (buffer.extend(plan.size - size, limit) == nullptr) {
        return false;
    }
    char* const place = buffer.data() + from;
    char* const text = place + (plan.size - size);
    std::memmove(text, place, size);
    repairUtf8({text, size}, place);
    return true;
}

bool isControl(char32_t code) noexcept {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029;
}

bool isPrintableUtf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const Character character = firstCharacter(text);
        if (!character.isValid() || isControl(character.code)) {
            return false;
        }
        text.remove_prefix(character.length);
    }
    return true;
}

} // namespace sse
