// Writes commands of Redis, as hiredis formats them (RESP2).
#pragma once

#include <span>
#include <string_view>

#include "sse/buffer.hpp"

namespace sse {

// Adds a command to what is to be sent: its name and its arguments, any bytes, at least one word. False
// without memory; then nothing has been added.
bool addCommand(Buffer& out, std::span<const std::string_view> words) noexcept;

// A command of so many words that they come in pieces.
class LongCommand {
public:
    // Adds words, of which there is at least one. False without memory; then the command is of no further
    // use.
    bool add(std::span<const std::string_view> words) noexcept;
    // Adds it to what is to be sent. False without memory; then nothing has been added.
    bool addTo(Buffer& out) const noexcept;

private:
    Buffer words_; // as they are sent, without their number
    size_t count_ = 0;
};

} // namespace sse
