// What may go onto the wire: every value that a publisher or a client chooses passes one of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sse/utf8.hpp"

namespace sse {

inline constexpr size_t kMaxChannelName = 255;
inline constexpr size_t kMaxEventType = 128;
// A publisher's id travels behind the log's own ("<ms>-<seq>~<own>"), and the two together stay within the
// 128 bytes beyond which browsers call a Last-Event-ID header unsafe: 128 - 41 - 1.
inline constexpr size_t kMaxOwnId = 86;

// 1 to kMaxChannelName bytes of UTF-8 without control characters (isControl).
bool isChannelName(std::string_view text) noexcept;

// 1 to kMaxEventType bytes of UTF-8 without control characters (isControl); no space at the start, which a
// parser would drop.
bool isEventType(std::string_view text) noexcept;

// 1 to kMaxOwnId bytes of [A-Za-z0-9._~=+/-].
bool isOwnId(std::string_view text) noexcept;

// Reads a `retry` value: ASCII digits only, however many, as milliseconds kept between kMinRetry and
// kMaxRetry (encode.hpp); never 0, which is "none" in an Event.
std::optional<uint32_t> parseRetry(std::string_view text) noexcept;

} // namespace sse
