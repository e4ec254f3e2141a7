// Numbers in decimal: arguments of commands are text, and so is most of what comes back.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sse {

// The text of a number, for as long as the object lives.
class Decimal {
public:
    explicit Decimal(uint64_t number) noexcept
        : length_(static_cast<size_t>(std::to_chars(text_, text_ + sizeof(text_), number).ptr - text_)) {}
    std::string_view view() const noexcept { return {text_, length_}; }

private:
    char text_[20];
    size_t length_;
};

// Reads digits and nothing else; nullopt if the text is not a number, or the number does not fit.
inline std::optional<uint64_t> parseDecimal(std::string_view text) noexcept {
    uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, fault] = std::from_chars(text.data(), end, number);
    return fault == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

} // namespace sse
