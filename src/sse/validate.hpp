// What may go onto the wire: every value that a publisher or a client chooses passes one of these checks, or
// those of publisher_id.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sse/event.hpp"
#include "sse/publisher_id.hpp"
#include "sse/utf8.hpp"

namespace sse {

inline constexpr size_t kMaxEventType = 128; // bytes

// 1 to kMaxChannelName bytes of UTF-8 without control characters (isControl).
bool isChannelName(std::string_view text) noexcept;

// 1 to kMaxEventType bytes of UTF-8 without control characters (isControl); no space at the start, which a
// parser would drop.
bool isEventType(std::string_view text) noexcept;

// Whether it can stand as it is after "data: ": UTF-8 without line ends and other control characters.
bool isDataLine(std::string_view text) noexcept;

// Reads a `retry` value: ASCII digits only, however many, as milliseconds kept between kMinRetry and
// kMaxRetry; never 0, which means "none" in an Event.
std::optional<uint32_t> parseRetry(std::string_view text) noexcept;

// Reads a field that says yes or no: "true", "1" or empty, and "false" or "0".
std::optional<bool> parseFlag(std::string_view text) noexcept;

} // namespace sse
