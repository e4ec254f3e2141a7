// Writes commands of Redis, as hiredis formats them (RESP2).
#pragma once

#include <span>
#include <string_view>

#include "sse/buffer.hpp"

namespace sse {

// Adds a command to what is to be sent: its name and its arguments, any bytes, at least one word. False
// without memory; then nothing has been added.
bool addCommand(Buffer& out, std::span<const std::string_view> words) noexcept;

} // namespace sse
