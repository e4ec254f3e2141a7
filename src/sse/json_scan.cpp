#include "sse/json_scan.hpp"

#include <algorithm>

#include "sse/bytes.hpp"
#include "sse/percent.hpp"
#include "sse/split.hpp"
#include "sse/utf8.hpp"

namespace sse {

namespace {

bool isSpace(char c) noexcept {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Whether it stands for itself in a string. What is not ASCII does, valid or not.
bool isPlain(char c) noexcept {
    return c != '"' && c != '\\' && static_cast<uint8_t>(c) >= 0x20;
}

// The longest start of a text that consists of such bytes.
template <typename Is>
std::string_view startOf(std::string_view text, Is&& is) noexcept {
    const auto end = std::find_if_not(text.begin(), text.end(), is);
    return {text.data(), static_cast<size_t>(end - text.begin())};
}

bool isHighSurrogate(char32_t code) noexcept {
    return code >= 0xd800 && code <= 0xdbff;
}

bool isLowSurrogate(char32_t code) noexcept {
    return code >= 0xdc00 && code <= 0xdfff;
}

} // namespace

JsonPart JsonScanner::next(std::string_view& piece) noexcept {
    const JsonPart part = piece.empty() ? JsonPart{JsonToken::More} : find(piece);
    piece.remove_prefix(part.raw.size());
    position_ += part.raw.size();
    return part;
}

bool JsonScanner::isComplete() const noexcept {
    return depth_ == 0 && within_ == Within::Nothing && (mark_ == 0 || mark_ == kByteOrderMark.size());
}

JsonPart JsonScanner::find(std::string_view rest) noexcept {
    switch (within_) {
    case Within::String:
        return findText(rest);
    case Within::Scalar:
        return findScalar(rest);
    case Within::Nothing:
        break;
    }
    return findStructure(rest);
}

// --- Objects and arrays ---

JsonPart JsonScanner::findStructure(std::string_view rest) noexcept {
    const std::string_view first(rest.data(), 1);
    if (takesMark(rest.front())) {
        return {JsonToken::Space, first};
    }
    if (mark_ != 0 && mark_ != kByteOrderMark.size()) {
        return {JsonToken::Fault};
    }
    if (const std::string_view space = startOf(rest, isSpace); !space.empty()) {
        return {JsonToken::Space, space};
    }
    switch (rest.front()) {
    case '{':
    case '[':
        return open(first);
    case '}':
    case ']':
        return close(first);
    case ',':
    case ':':
        return separate(first);
    case '"':
        return beginText(first);
    default:
        return beginScalar(rest);
    }
}

// RFC 8259, section 8.1: a parser may ignore it. Nothing precedes it.
bool JsonScanner::takesMark(char c) noexcept {
    const bool takes = position_ == mark_ && mark_ < kByteOrderMark.size() && c == kByteOrderMark[mark_];
    mark_ = static_cast<uint8_t>(mark_ + (takes ? 1 : 0));
    return takes;
}

bool JsonScanner::expectsValue() const noexcept {
    return expected_ == Expected::Value || expected_ == Expected::ValueOrEnd;
}

JsonPart JsonScanner::open(std::string_view bracket) noexcept {
    if (!expectsValue()) {
        return {JsonToken::Fault};
    }
    if (depth_ == kMaxDepth) {
        return {JsonToken::TooDeep};
    }
    const bool isObject = bracket == "{";
    kinds_ = kinds_ << 1 | (isObject ? 1 : 0);
    ++depth_;
    expected_ = isObject ? Expected::NameOrEnd : Expected::ValueOrEnd;
    return {isObject ? JsonToken::ObjectBegin : JsonToken::ArrayBegin, bracket};
}

JsonPart JsonScanner::close(std::string_view bracket) noexcept {
    const bool isObject = bracket == "}";
    const Expected whenEmpty = isObject ? Expected::NameOrEnd : Expected::ValueOrEnd;
    if (depth_ == 0 || isObject != inObject() ||
        (expected_ != whenEmpty && expected_ != Expected::CommaOrEnd)) {
        return {JsonToken::Fault};
    }
    kinds_ >>= 1;
    --depth_;
    endValue();
    return {isObject ? JsonToken::ObjectEnd : JsonToken::ArrayEnd, bracket};
}

JsonPart JsonScanner::separate(std::string_view byte) noexcept {
    if (expected_ != (byte == "," ? Expected::CommaOrEnd : Expected::Colon)) {
        return {JsonToken::Fault};
    }
    expected_ = byte == "," && inObject() ? Expected::Name : Expected::Value;
    return {JsonToken::Space, byte};
}

void JsonScanner::endValue() noexcept {
    expected_ = depth_ == 0 ? Expected::Value : Expected::CommaOrEnd;
}

// --- Names and strings ---

JsonPart JsonScanner::beginText(std::string_view byte) noexcept {
    isName_ = expected_ == Expected::Name || expected_ == Expected::NameOrEnd;
    if (!isName_ && !expectsValue()) {
        return {JsonToken::Fault};
    }
    within_ = Within::String;
    return {isName_ ? JsonToken::NameBegin : JsonToken::StringBegin, byte};
}

JsonPart JsonScanner::findText(std::string_view rest) noexcept {
    if (escaped_ != 0 || rest.front() == '\\') {
        return findEscape(rest);
    }
    if (high_ != 0) {
        high_ = 0;
        return {JsonToken::Text, {}, kLoneSurrogate};
    }
    if (const std::string_view plain = startOf(rest, isPlain); !plain.empty()) {
        return {JsonToken::Text, plain, plain};
    }
    if (rest.front() != '"') {
        return {JsonToken::Fault};
    }
    within_ = Within::Nothing;
    if (isName_) {
        expected_ = Expected::Colon;
    } else {
        endValue();
    }
    return {JsonToken::TextEnd, {rest.data(), 1}};
}

// An escape, or as much of it as is here. What cannot belong to it is a fault in the next part.
JsonPart JsonScanner::findEscape(std::string_view rest) noexcept {
    text_.clear();
    size_t length = 0;
    while (length < rest.size() && addToEscape(rest[length])) {
        ++length;
        if (escaped_ == 0) {
            break;
        }
    }
    return length == 0 ? JsonPart{JsonToken::Fault}
                       : JsonPart{JsonToken::Text, {rest.data(), length}, text_.view()};
}

// Whether the character may be the next one of an escape. The last one completes it: it is none any more.
bool JsonScanner::addToEscape(char c) noexcept {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    constexpr uint8_t kUnicode = 2; // characters of "\u"
    if (escaped_ == 0 || (escaped_ == 1 && c == 'u')) {
        ++escaped_;
        code_ = 0;
        return true;
    }
    if (escaped_ < kUnicode) {
        const size_t letter = kLetters.find(c);
        if (letter == std::string_view::npos) {
            return false;
        }
        escaped_ = 0;
        addCharacter(static_cast<uint8_t>(kMeanings[letter]));
        return true;
    }
    const int digit = hexValue(c);
    if (digit < 0) {
        return false;
    }
    code_ = code_ * 16 + static_cast<char32_t>(digit);
    if (++escaped_ == kUnicode + 4) {
        escaped_ = 0;
        addCharacter(code_);
    }
    return true;
}

// Adds what an escape stands for. Two of them make a character beyond U+FFFF.
void JsonScanner::addCharacter(char32_t code) noexcept {
    if (isLowSurrogate(code) && high_ != 0) {
        code = 0x10000 + ((high_ - 0xd800) << 10) + (code - 0xdc00);
    } else if (high_ != 0) {
        text_.append(kLoneSurrogate);
    }
    high_ = isHighSurrogate(code) ? code : 0;
    if (high_ != 0) {
        return;
    }
    char bytes[4];
    text_.append(isLowSurrogate(code) ? kLoneSurrogate : std::string_view{bytes, writeUtf8(code, bytes)});
}

// --- Numbers, true, false, null ---

JsonPart JsonScanner::beginScalar(std::string_view rest) noexcept {
    const char c = rest.front();
    literal_ = c == 't' ? "true" : c == 'f' ? "false" : c == 'n' ? "null" : "";
    if (!expectsValue() || (literal_.empty() && c != '-' && !isDigit(c))) {
        return {JsonToken::Fault};
    }
    scalar_ = literal_.empty() ? Scalar::Begin : Scalar::Literal;
    within_ = Within::Scalar;
    return findScalar(rest);
}

// A number ends with the first byte that cannot belong to it.
JsonPart JsonScanner::findScalar(std::string_view rest) noexcept {
    size_t length = 0;
    while (length < rest.size() && addToScalar(rest[length])) {
        ++length;
    }
    if (length != 0) {
        return {JsonToken::Scalar, {rest.data(), length}};
    }
    if (!isWholeScalar()) {
        return {JsonToken::Fault};
    }
    within_ = Within::Nothing;
    endValue();
    return {JsonToken::ScalarEnd};
}

bool JsonScanner::addToScalar(char c) noexcept {
    if (scalar_ == Scalar::Literal) {
        const bool fits = literal_.starts_with(c);
        literal_.remove_prefix(fits ? 1 : 0);
        return fits;
    }
    const Scalar after = inNumber(scalar_, c);
    scalar_ = after == Scalar::None ? scalar_ : after;
    return after != Scalar::None;
}

bool JsonScanner::isWholeScalar() const noexcept {
    return scalar_ == Scalar::Literal ? literal_.empty()
                                      : scalar_ == Scalar::Zero || scalar_ == Scalar::Digits ||
                                            scalar_ == Scalar::Fraction || scalar_ == Scalar::Exponent;
}

// Where in a number the character leads, from where one is.
JsonScanner::Scalar JsonScanner::inNumber(Scalar scalar, char c) noexcept {
    const bool digit = isDigit(c);
    const Scalar exponent = c == 'e' || c == 'E' ? Scalar::E : Scalar::None;
    const Scalar more = c == '.' ? Scalar::Point : exponent;
    switch (scalar) {
    case Scalar::Begin:
    case Scalar::Minus:
        return c == '0'                              ? Scalar::Zero
               : digit                               ? Scalar::Digits
               : c == '-' && scalar == Scalar::Begin ? Scalar::Minus
                                                     : Scalar::None;
    case Scalar::Zero:
        return more;
    case Scalar::Digits:
        return digit ? Scalar::Digits : more;
    case Scalar::Point:
        return digit ? Scalar::Fraction : Scalar::None;
    case Scalar::Fraction:
        return digit ? Scalar::Fraction : exponent;
    case Scalar::E:
        return digit ? Scalar::Exponent : c == '+' || c == '-' ? Scalar::Sign : Scalar::None;
    case Scalar::Sign:
    case Scalar::Exponent:
        return digit ? Scalar::Exponent : Scalar::None;
    case Scalar::None:
    case Scalar::Literal:
        break;
    }
    return Scalar::None;
}

} // namespace sse
