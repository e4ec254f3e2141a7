#include "sse/form_envelope.hpp"

#include <algorithm>

#include "sse/percent.hpp"
#include "sse/split.hpp"

namespace sse {

EnvelopeStatus FormEnvelope::feed(std::string_view piece) noexcept {
    while (!piece.empty()) {
        const EnvelopeStatus status = escape_.empty() ? take(piece) : takeEscape(piece);
        if (status != EnvelopeStatus::Ok) {
            return status;
        }
    }
    return EnvelopeStatus::Ok;
}

EnvelopeStatus FormEnvelope::finish() noexcept {
    EnvelopeStatus status = flushEscape();
    if (status == EnvelopeStatus::Ok) {
        status = endField();
    }
    return status == EnvelopeStatus::Ok ? fields_.complete() : status;
}

EnvelopeStatus FormEnvelope::take(std::string_view& piece) noexcept {
    const size_t plain = std::min(piece.find_first_of(inValue_ ? "&+%" : "&+%="), piece.size());
    if (plain != 0) {
        const EnvelopeStatus status = add({piece.data(), plain});
        consume(piece, plain);
        return status;
    }
    const char c = piece.front();
    const EnvelopeStatus status = c == '&'   ? endField()
                                  : c == '=' ? beginValue()
                                  : c == '+' ? add(" ")
                                             : EnvelopeStatus::Ok;
    if (c == '%') {
        escape_.append("%");
    }
    consume(piece, 1);
    fieldAt_ = c == '&' ? position_ : fieldAt_;
    return status;
}

// What follows a `%`. A character that cannot is left where it is.
EnvelopeStatus FormEnvelope::takeEscape(std::string_view& piece) noexcept {
    const char digit = piece.front();
    if (hexValue(digit) < 0) {
        return flushEscape();
    }
    consume(piece, 1);
    if (escape_.view().size() == 1) {
        escape_.append({&digit, 1});
        return EnvelopeStatus::Ok;
    }
    const char byte = static_cast<char>(hexValue(escape_.view()[1]) * 16 + hexValue(digit));
    escape_.clear();
    return add({&byte, 1});
}

// It was none.
EnvelopeStatus FormEnvelope::flushEscape() noexcept {
    const ShortText<2> text = escape_;
    escape_.clear();
    return text.empty() ? EnvelopeStatus::Ok : add(text.view());
}

EnvelopeStatus FormEnvelope::add(std::string_view text) noexcept {
    if (inValue_) {
        return fields_.add(text);
    }
    name_.append(text);
    return EnvelopeStatus::Ok;
}

// The name is complete. A byte order mark before the first one does not belong to it.
EnvelopeStatus FormEnvelope::beginValue() noexcept {
    std::string_view name = name_.view();
    name.remove_prefix(fieldAt_ == 0 && name.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
    inValue_ = true;
    return fields_.begin(name, fieldAt_, true);
}

// Without a `=` all of the field is its name.
EnvelopeStatus FormEnvelope::endField() noexcept {
    if (!inValue_ && name_.empty()) {
        return EnvelopeStatus::Ok;
    }
    EnvelopeStatus status = inValue_ ? EnvelopeStatus::Ok : beginValue();
    if (status == EnvelopeStatus::Ok) {
        status = fields_.end();
    }
    inValue_ = false;
    name_.clear();
    return status;
}

void FormEnvelope::consume(std::string_view& piece, size_t length) noexcept {
    piece.remove_prefix(length);
    position_ += length;
}

} // namespace sse
