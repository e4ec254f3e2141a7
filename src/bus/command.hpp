// Writes Redis commands, as hiredis formats them (RESP2).
#pragma once

#include <span>
#include <string_view>

#include "sse/buffer.hpp"

namespace sse {

// Adds a command to `out`: its name and its arguments, at least one word, with any bytes. False without
// memory; then nothing has been added.
bool addCommand(Buffer& out, std::span<const std::string_view> words) noexcept;

// A command with so many words that they are added in pieces.
class LongCommand {
public:
    // Adds words, at least one. False without memory; then the command is of no further use.
    bool add(std::span<const std::string_view> words) noexcept;
    // Adds the command to `out`. False without memory; then nothing has been added.
    bool addTo(Buffer& out) const noexcept;

private:
    Buffer words_; // as they are sent, without their number
    size_t count_ = 0;
};

} // namespace sse
