// Reads JSON (RFC 8259) as it arrives: says what each byte is, checks that it is allowed there, and stores
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sse/short_text.hpp"

namespace sse {

// What a part of a JSON text is.
enum class JsonToken : uint8_t {
    More,  // the piece is used up
    Space, // white space, a comma, a colon, or the byte order mark at the start
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    NameBegin,   // the quote before the name of a member
    StringBegin, // the quote before a string that is a value
    Text,        // a part of that name or string
    TextEnd,     // the quote after it
    Scalar,      // a part of a number, or of true, false or null
    ScalarEnd,   // no byte: the scalar was complete
    Fault,       // no byte: the next one is not allowed here
    TooDeep,     // no byte: the next one begins an object or array within kMaxDepth others
};

struct JsonPart {
    JsonToken token;
    std::string_view raw = {};  // its bytes, a view of the piece
    std::string_view text = {}; // of Text: what they stand for; valid until the next call
};

// The bytes may be cut anywhere. Several values may follow each other, with or without white space between
// them.
class JsonScanner {
public:
    // How deep objects and arrays may be nested: as deep as most JSON parsers accept, with a bit for each
    // level.
    static constexpr uint32_t kMaxDepth = 64;

    // What half of a surrogate pair, an escape without the other half, becomes: a byte that is not UTF-8.
    static constexpr std::string_view kLoneSurrogate = "\xff";

    // The next part of the text, which is removed from the start of `piece`. A name, a string and a scalar
    // may come in any number of parts. After Fault and TooDeep the scanner must not be used any more.
    JsonPart next(std::string_view& piece) noexcept;

    // Bytes that have been read: where the next part begins.
    uint64_t position() const noexcept { return position_; }
    // Objects and arrays that have begun and not ended.
    uint32_t depth() const noexcept { return depth_; }
    // Whether the text may end here.
    bool isComplete() const noexcept;

private:
    enum class Within : uint8_t { Nothing, String, Scalar };
    enum class Expected : uint8_t { Value, ValueOrEnd, Name, NameOrEnd, Colon, CommaOrEnd };
    enum class Scalar : uint8_t {
        None, // cannot be one
        Begin,
        Literal,
        Minus,
        Zero,
        Digits,
        Point,
        Fraction,
        E,
        Sign,
        Exponent
    };

    JsonPart find(std::string_view rest) noexcept;
    JsonPart findStructure(std::string_view rest) noexcept;
    JsonPart findText(std::string_view rest) noexcept;
    JsonPart findEscape(std::string_view rest) noexcept;
    JsonPart findScalar(std::string_view rest) noexcept;
    JsonPart beginText(std::string_view byte) noexcept;
    JsonPart beginScalar(std::string_view rest) noexcept;
    JsonPart open(std::string_view bracket) noexcept;
    JsonPart close(std::string_view bracket) noexcept;
    JsonPart separate(std::string_view byte) noexcept;

    bool takesMark(char c) noexcept;
    bool expectsValue() const noexcept;
    bool inObject() const noexcept { return (kinds_ & 1) != 0; }
    void endValue() noexcept;
    bool addToEscape(char c) noexcept;
    void addCharacter(char32_t code) noexcept;
    bool addToScalar(char c) noexcept;
    bool isWholeScalar() const noexcept;
    static Scalar inNumber(Scalar scalar, char c) noexcept;

    uint64_t position_ = 0;
    uint64_t kinds_ = 0; // a bit for each level, the innermost in bit 0: whether it is an object
    uint32_t depth_ = 0;
    uint8_t mark_ = 0; // bytes of a byte order mark so far
    Within within_ = Within::Nothing;
    Expected expected_ = Expected::Value;

    bool isName_ = false; // of a string
    uint8_t escaped_ = 0; // characters of an escape so far, its backslash included
    char32_t code_ = 0;   // what its digits say so far
    char32_t high_ = 0;   // the first half of a surrogate pair, while the second has not come
    ShortText<8> text_;   // what an escape stands for

    Scalar scalar_ = Scalar::None;
    std::string_view literal_; // what is to come of true, false or null
};

} // namespace sse
