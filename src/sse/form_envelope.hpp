// Reads an envelope from the fields of a form as they arrive (application/x-www-form-urlencoded, WHATWG
// URL 5.1).
#pragma once

#include "sse/envelope.hpp"

namespace sse {

// "name=value&name=value", where `+` is a space and "%41" a byte. A `%` without two hex digits after it
// stands for itself. "channel" may come several times; there may be nothing between two `&`.
//
// A value goes directly into its field as it arrives, so no memory is needed except that of the fields.
class FormEnvelope {
public:
    // Collects in `fields`, which outlives the reader.
    explicit FormEnvelope(EnvelopeFields& fields) noexcept : fields_(fields) {}

    // Ok: the piece is used up. Anything else is a fault, after which the reader must not be used any more.
    EnvelopeStatus feed(std::string_view piece) noexcept;

    // There are no more bytes. Complete: the fields are those of an envelope.
    EnvelopeStatus finish() noexcept;

    // Bytes that have been read.
    uint64_t position() const noexcept { return position_; }

private:
    EnvelopeStatus take(std::string_view& piece) noexcept;
    EnvelopeStatus takeEscape(std::string_view& piece) noexcept;
    EnvelopeStatus add(std::string_view text) noexcept;
    EnvelopeStatus beginValue() noexcept;
    EnvelopeStatus endField() noexcept;
    EnvelopeStatus flushEscape() noexcept;
    void consume(std::string_view& piece, size_t length) noexcept;

    EnvelopeFields& fields_;
    uint64_t position_ = 0;
    uint64_t fieldAt_ = 0;
    bool inValue_ = false;
    ShortText<32> name_;  // longer than that of any field
    ShortText<2> escape_; // a `%`, and the first digit
};

} // namespace sse
