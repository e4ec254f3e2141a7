// Writes JSON (RFC 8259): one writer for responses to publishers, refusals, the status, and gap events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sse/buffer.hpp"

namespace sse {

// The name of a member, known at compile time: the compiler checks that it needs no escape.
class JsonName {
public:
    consteval JsonName(const char* name) noexcept : text_(name) {
        for (char c : text_) {
            if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                needsEscape();
            }
        }
    }
    std::string_view text() const noexcept { return text_; }

private:
    static void needsEscape() noexcept {} // not a constant expression, so the compiler stops here

    std::string_view text_;
};

// Appends JSON to a buffer, with the commas where they belong:
//
//   JsonWriter json(buffer);
//   json.beginObject().member("channel", name).member("subscribers", 3u).endObject();
//   if (!json.isComplete()) …
//
// Numbers are written in full; a 64-bit one may exceed what JavaScript can represent.
class JsonWriter {
public:
    // `out` belongs to the caller and outlives the writer.
    explicit JsonWriter(Buffer& out) noexcept : out_(out) {}

    JsonWriter& beginObject() noexcept { return open('{'); }
    JsonWriter& endObject() noexcept { return close('}'); }
    JsonWriter& beginArray() noexcept { return open('['); }
    JsonWriter& endArray() noexcept { return close(']'); }

    // The name of the next member: a literal, which is written as it is, or any text, which is escaped as
    // string() does.
    JsonWriter& key(const JsonName& name) noexcept;
    JsonWriter& keyOf(std::string_view name) noexcept;

    // `"`, `\`, the control characters (C0, DEL, C1) and the line ends U+2028 and U+2029 are escaped, and
    // each sequence that is not UTF-8 becomes one U+FFFD, as browsers decode it.
    JsonWriter& string(std::string_view text) noexcept { return beginString().text(text).endString(); }
    // The same part by part; none may end inside a character.
    JsonWriter& beginString() noexcept;
    JsonWriter& text(std::string_view part) noexcept;
    JsonWriter& endString() noexcept;
    JsonWriter& number(uint64_t value) noexcept;
    JsonWriter& boolean(bool value) noexcept;
    JsonWriter& null() noexcept;

    JsonWriter& member(const JsonName& name, std::string_view text) noexcept {
        return key(name).string(text);
    }
    JsonWriter& member(const JsonName& name, uint64_t value) noexcept { return key(name).number(value); }

    // Whether there was memory for all of it.
    bool isComplete() const noexcept { return complete_; }

private:
    JsonWriter& open(char bracket) noexcept;
    JsonWriter& close(char bracket) noexcept;
    JsonWriter& scalar(std::string_view text) noexcept;
    void append(std::string_view text) noexcept { complete_ = complete_ && out_.append(text); }
    void separate() noexcept;

    Buffer& out_;
    bool follows_ = false; // a value of the same object or array precedes
    bool complete_ = true;
};

} // namespace sse
