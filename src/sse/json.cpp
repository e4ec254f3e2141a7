#include "sse/json.hpp"

#include <array>
#include <charconv>
#include <cstdint>

#include "sse/utf8.hpp"

namespace sse {

namespace {

// By byte: whether it stands for itself.
constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (size_t byte = 0x20; byte < 0x7f; ++byte) {
        plain[byte] = byte != '"' && byte != '\\';
    }
    return plain;
}();

bool isPlain(char c) noexcept {
    return kPlain[static_cast<uint8_t>(c)];
}

// The text of a JSON string, piece by piece.
class Pieces {
public:
    explicit Pieces(std::string_view text) noexcept : rest_(text) {}

    bool done() const noexcept { return rest_.empty(); }

    // A run of bytes that need no escape, or the escape of one character; valid until the next call.
    std::string_view next() noexcept {
        size_t plain = 0;
        while (plain < rest_.size() && isPlain(rest_[plain])) {
            ++plain;
        }
        if (plain > 0) {
            return take(plain);
        }
        const Character character = firstCharacter(rest_);
        const std::string_view taken = take(character.length);
        if (!character.isValid()) {
            return kReplacement;
        }
        return mustEscape(character.code) ? escape(character.code) : taken;
    }

private:
    std::string_view take(size_t length) noexcept {
        const std::string_view taken(rest_.data(), length);
        rest_.remove_prefix(length);
        return taken;
    }

    static bool mustEscape(char32_t code) noexcept { return code == '"' || code == '\\' || isControl(code); }

    std::string_view escape(char32_t code) noexcept {
        constexpr std::string_view kHex = "0123456789abcdef";
        constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t";
        constexpr std::string_view kLetters = "\"\\bfnrt";
        const size_t special = code < 0x80 ? kSpecial.find(static_cast<char>(code)) : std::string_view::npos;
        if (special != std::string_view::npos) {
            escape_[1] = kLetters[special];
            return {escape_, 2};
        }
        escape_[1] = 'u';
        for (int i = 5; i >= 2; --i, code >>= 4) {
            escape_[i] = kHex[code & 0xf];
        }
        return {escape_, 6};
    }

    std::string_view rest_;
    char escape_[6] = {'\\'};
};

} // namespace

void JsonWriter::separate() noexcept {
    if (follows_) {
        append(",");
    }
}

JsonWriter& JsonWriter::open(char bracket) noexcept {
    separate();
    append({&bracket, 1});
    follows_ = false;
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) noexcept {
    append({&bracket, 1});
    follows_ = true;
    return *this;
}

JsonWriter& JsonWriter::key(const JsonName& name) noexcept {
    append(follows_ ? ",\"" : "\"");
    append(name.text());
    append("\":");
    follows_ = false;
    return *this;
}

JsonWriter& JsonWriter::keyOf(std::string_view name) noexcept {
    string(name);
    append(":");
    follows_ = false;
    return *this;
}

JsonWriter& JsonWriter::beginString() noexcept {
    append(follows_ ? ",\"" : "\"");
    return *this;
}

JsonWriter& JsonWriter::text(std::string_view part) noexcept {
    for (Pieces pieces(part); !pieces.done();) {
        append(pieces.next());
    }
    return *this;
}

JsonWriter& JsonWriter::endString() noexcept {
    append("\"");
    follows_ = true;
    return *this;
}

JsonWriter& JsonWriter::number(uint64_t value) noexcept {
    char digits[20];
    const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    return scalar({digits, static_cast<size_t>(end - digits)});
}

JsonWriter& JsonWriter::boolean(bool value) noexcept {
    return scalar(value ? "true" : "false");
}

JsonWriter& JsonWriter::null() noexcept {
    return scalar("null");
}

JsonWriter& JsonWriter::scalar(std::string_view text) noexcept {
    separate();
    append(text);
    follows_ = true;
    return *this;
}

} // namespace sse
