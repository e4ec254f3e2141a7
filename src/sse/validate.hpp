// What may go onto the wire: every value that a publisher or a client chooses passes one of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sse {

inline constexpr size_t kMaxChannelName = 255;
inline constexpr size_t kMaxEventType = 128;
// A publisher's id travels behind the log's own ("<ms>-<seq>~<own>"), and the two together stay within the
// 128 bytes beyond which browsers call a Last-Event-ID header unsafe: 128 - 41 - 1.
inline constexpr size_t kMaxOwnId = 86;

// Checks UTF-8 piece by piece: a sequence that a piece cuts in two is not invalid.
class Utf8Checker {
public:
    // false once the text so far cannot be the beginning of valid UTF-8 (Unicode 15, table 3-7: no overlong
    // forms, no surrogates, nothing above U+10FFFF).
    bool feed(std::string_view piece) noexcept;
    // Whether the text may end here.
    bool complete() const noexcept { return needed_ == 0; }

private:
    bool step(uint8_t byte) noexcept;
    bool begin(uint8_t lead) noexcept;
    bool refuse() noexcept;

    uint8_t needed_ = 0; // continuation bytes still to come
    uint8_t low_ = 0x80; // range of the next one
    uint8_t high_ = 0xbf;
};

bool isUtf8(std::string_view text) noexcept;

// 1 to kMaxChannelName bytes of UTF-8 without control characters (C0, DEL).
bool isChannelName(std::string_view text) noexcept;

// 1 to kMaxEventType bytes of UTF-8 without control characters; no space at the start, which a parser would
// drop.
bool isEventType(std::string_view text) noexcept;

// 1 to kMaxOwnId bytes of [A-Za-z0-9._~=+/-].
bool isOwnId(std::string_view text) noexcept;

// Reads a `retry` value: ASCII digits only, however many, as milliseconds kept between kMinRetry and
// kMaxRetry (encode.hpp); never 0, which is "none" in an Event.
std::optional<uint32_t> parseRetry(std::string_view text) noexcept;

} // namespace sse
