// A number in decimal, for as long as the object lives: arguments of commands are text.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

namespace sse {

class Decimal {
public:
    explicit Decimal(uint64_t number) noexcept
        : length_(static_cast<size_t>(std::to_chars(text_, text_ + sizeof(text_), number).ptr - text_)) {}
    std::string_view view() const noexcept { return {text_, length_}; }

private:
    char text_[20];
    size_t length_;
};

} // namespace sse
