// Reads envelopes in JSON as they arrive: {"data":…,"event":…,"id":…,"retry":…,"channel":…,"end":…}, in an
// array, or one after the other.
#pragma once

#include "sse/envelope.hpp"
#include "sse/json_scan.hpp"

namespace sse {

// `data` is a string, which gives the text, or any other value, which is kept unchanged, byte for byte.
// `event`, `id` and `channel` are strings, `id` and `retry` may also be integers, `channel` also an array of
// strings, which is not empty; `end` is true or false. Each field but `data` may be null, and then counts as
// missing.
//
// A value goes directly into its field as it arrives, so no memory is needed except that of the fields.
class JsonEnvelopes {
public:
    // Collects in `fields`, which outlives the reader.
    explicit JsonEnvelopes(EnvelopeFields& fields) noexcept : fields_(fields) {}

    // Reads on, and removes what it reads from the start of `piece`. Complete: the fields are those of an
    // envelope, and the caller clears them before it goes on. Ok: the piece is used up. Anything else is a
    // fault, after which the reader must not be used any more.
    EnvelopeStatus read(std::string_view& piece) noexcept;

    // There are no more bytes.
    EnvelopeStatus finish() const noexcept;

    // Whether an envelope has begun that is not complete.
    bool inEnvelope() const noexcept { return step_ != Step::Outside; }

    // Bytes before what has been read last, which is the fault if it does not concern a field.
    uint64_t at() const noexcept { return at_; }
    // Where the current envelope begins.
    uint64_t start() const noexcept { return start_; }

private:
    // What comes next, or goes on.
    enum class Step : uint8_t {
        Outside,  // an envelope
        Field,    // a field, or the end of the envelope
        Value,    // the value of the field
        Text,     // of a string
        Scalar,   // of a number, true or false
        Null,     // of a value that is not given
        Raw,      // of an object or array that is data
        Channels, // of an array of channels
    };

    EnvelopeStatus take(const JsonPart& part) noexcept;
    EnvelopeStatus takeOutside(const JsonPart& part) noexcept;
    EnvelopeStatus takeField(const JsonPart& part) noexcept;
    EnvelopeStatus takeValue(const JsonPart& part) noexcept;
    EnvelopeStatus takeBracket(const JsonPart& part) noexcept;
    EnvelopeStatus takeScalar(const JsonPart& part) noexcept;
    EnvelopeStatus takeText(const JsonPart& part) noexcept;
    EnvelopeStatus takeRaw(const JsonPart& part) noexcept;
    EnvelopeStatus takeChannels(const JsonPart& part) noexcept;
    EnvelopeStatus wrongKind() const noexcept;
    bool mayBeScalar(char first) const noexcept;

    EnvelopeFields& fields_;
    JsonScanner scanner_;
    Step step_ = Step::Outside;
    uint32_t level_ = 0; // depth of the envelope's fields
    uint64_t at_ = 0;
    uint64_t start_ = 0;
    uint64_t nameAt_ = 0;
    ShortText<32> name_; // longer than that of any field
};

} // namespace sse
