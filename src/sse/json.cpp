#include "sse/json.hpp"

#include <cstdint>
#include <cstring>

#include "sse/validate.hpp"

namespace sse {

namespace {

bool isPlain(char c) noexcept {
    const auto byte = static_cast<uint8_t>(c);
    return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

// The text of a JSON string, piece by piece.
class Pieces {
public:
    explicit Pieces(std::string_view text) noexcept : rest_(text) {}

    bool done() const noexcept { return rest_.empty(); }

    // A run of bytes that stay as they are, or what stands for one that does not; valid until the next call.
    std::string_view next() noexcept {
        size_t plain = 0;
        while (plain < rest_.size() && isPlain(rest_[plain])) {
            ++plain;
        }
        if (plain > 0) {
            return take(plain);
        }
        return static_cast<uint8_t>(rest_.front()) < 0x80 ? escape(take(1).front()) : sequence();
    }

private:
    std::string_view take(size_t length) noexcept {
        const std::string_view taken(rest_.data(), length);
        rest_.remove_prefix(length);
        return taken;
    }

    std::string_view escape(char c) noexcept {
        constexpr std::string_view kHex = "0123456789abcdef";
        constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t";
        constexpr std::string_view kLetters = "\"\\bfnrt";
        const size_t special = kSpecial.find(c);
        if (special != std::string_view::npos) {
            escape_[1] = kLetters[special];
            return {escape_, 2};
        }
        std::memcpy(escape_ + 1, "u00", 3);
        escape_[4] = kHex[static_cast<uint8_t>(c) >> 4];
        escape_[5] = kHex[c & 0xf];
        return {escape_, 6};
    }

    // One character beyond ASCII. What cannot go on is replaced as far as it could have been one.
    std::string_view sequence() noexcept {
        Utf8Checker checker;
        size_t length = 0;
        while (length < rest_.size() && checker.feed({rest_.data() + length, 1})) {
            ++length;
            if (checker.complete()) {
                return take(length);
            }
        }
        take(length == 0 ? 1 : length);
        return "\xef\xbf\xbd";
    }

    std::string_view rest_;
    char escape_[6] = {'\\'};
};

} // namespace

size_t jsonSize(std::string_view text) noexcept {
    size_t size = 2;
    for (Pieces pieces(text); !pieces.done();) {
        size += pieces.next().size();
    }
    return size;
}

char* writeJson(std::string_view text, char* out) noexcept {
    *out++ = '"';
    for (Pieces pieces(text); !pieces.done();) {
        const std::string_view piece = pieces.next();
        std::memcpy(out, piece.data(), piece.size());
        out += piece.size();
    }
    *out++ = '"';
    return out;
}

} // namespace sse
