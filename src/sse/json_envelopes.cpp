#include "sse/json_envelopes.hpp"

namespace sse {

EnvelopeStatus JsonEnvelopes::read(std::string_view& piece) noexcept {
    for (;;) {
        at_ = scanner_.position();
        const JsonPart part = scanner_.next(piece);
        if (part.token == JsonToken::More) {
            return EnvelopeStatus::Ok;
        }
        if (const EnvelopeStatus status = take(part); status != EnvelopeStatus::Ok) {
            return status;
        }
    }
}

// An array that has not ended may have lost envelopes.
EnvelopeStatus JsonEnvelopes::finish() const noexcept {
    return inEnvelope()             ? EnvelopeStatus::Incomplete
           : !scanner_.isComplete() ? EnvelopeStatus::BadJson
                                    : EnvelopeStatus::Ok;
}

EnvelopeStatus JsonEnvelopes::take(const JsonPart& part) noexcept {
    if (part.token == JsonToken::Fault || part.token == JsonToken::TooDeep) {
        return part.token == JsonToken::Fault ? EnvelopeStatus::BadJson : EnvelopeStatus::TooDeep;
    }
    switch (step_) {
    case Step::Outside:
        return takeOutside(part);
    case Step::Field:
        return takeField(part);
    case Step::Value:
        return takeValue(part);
    case Step::Text:
        return takeText(part);
    case Step::Scalar:
    case Step::Null:
        return takeScalar(part);
    case Step::Raw:
        return takeRaw(part);
    case Step::Channels:
        return takeChannels(part);
    }
    return EnvelopeStatus::Ok;
}

EnvelopeStatus JsonEnvelopes::takeOutside(const JsonPart& part) noexcept {
    switch (part.token) {
    case JsonToken::Space:
    case JsonToken::ArrayEnd:
        return EnvelopeStatus::Ok;
    case JsonToken::ArrayBegin:
        return scanner_.depth() == 1 ? EnvelopeStatus::Ok : EnvelopeStatus::NotEnvelope;
    case JsonToken::ObjectBegin:
        step_ = Step::Field;
        level_ = scanner_.depth();
        start_ = at_;
        return EnvelopeStatus::Ok;
    default:
        return EnvelopeStatus::NotEnvelope;
    }
}

EnvelopeStatus JsonEnvelopes::takeField(const JsonPart& part) noexcept {
    switch (part.token) {
    case JsonToken::NameBegin:
        nameAt_ = at_;
        name_.clear();
        return EnvelopeStatus::Ok;
    case JsonToken::Text:
        name_.append(part.text);
        return EnvelopeStatus::Ok;
    case JsonToken::TextEnd:
        step_ = Step::Value;
        return fields_.begin(name_.view(), nameAt_, false);
    case JsonToken::ObjectEnd:
        step_ = Step::Outside;
        return fields_.complete();
    default:
        return EnvelopeStatus::Ok; // space
    }
}

EnvelopeStatus JsonEnvelopes::takeValue(const JsonPart& part) noexcept {
    switch (part.token) {
    case JsonToken::Space:
        return EnvelopeStatus::Ok;
    case JsonToken::StringBegin:
        step_ = Step::Text;
        return fields_.field() != EnvelopeField::End ? EnvelopeStatus::Ok : wrongKind();
    case JsonToken::Scalar:
        step_ = part.raw.front() == 'n' && fields_.field() != EnvelopeField::Data ? Step::Null : Step::Scalar;
        return step_ == Step::Null || mayBeScalar(part.raw.front()) ? takeScalar(part) : wrongKind();
    default:
        return takeBracket(part);
    }
}

EnvelopeStatus JsonEnvelopes::takeBracket(const JsonPart& part) noexcept {
    if (fields_.field() == EnvelopeField::Data) {
        step_ = Step::Raw;
        return takeRaw(part);
    }
    step_ = Step::Channels;
    return fields_.field() == EnvelopeField::Channel && part.token == JsonToken::ArrayBegin
               ? EnvelopeStatus::Ok
               : wrongKind();
}

EnvelopeStatus JsonEnvelopes::takeScalar(const JsonPart& part) noexcept {
    const bool isNull = step_ == Step::Null;
    if (part.token == JsonToken::ScalarEnd) {
        step_ = Step::Field;
        return isNull ? EnvelopeStatus::Ok : fields_.end();
    }
    if (fields_.field() == EnvelopeField::Id && !isNull &&
        part.raw.find_first_of(".eE") != std::string_view::npos) {
        return wrongKind();
    }
    return isNull ? EnvelopeStatus::Ok : fields_.add(part.raw);
}

EnvelopeStatus JsonEnvelopes::takeText(const JsonPart& part) noexcept {
    if (part.token == JsonToken::Text) {
        return fields_.add(part.text);
    }
    step_ = scanner_.depth() == level_ ? Step::Field : Step::Channels;
    return fields_.end();
}

// White space within belongs to it.
EnvelopeStatus JsonEnvelopes::takeRaw(const JsonPart& part) noexcept {
    const EnvelopeStatus status = fields_.add(part.raw);
    if (scanner_.depth() != level_ || status != EnvelopeStatus::Ok) {
        return status;
    }
    step_ = Step::Field;
    return fields_.end();
}

// Nobody who writes an empty array means the usual channel.
EnvelopeStatus JsonEnvelopes::takeChannels(const JsonPart& part) noexcept {
    switch (part.token) {
    case JsonToken::Space:
        return EnvelopeStatus::Ok;
    case JsonToken::StringBegin:
        step_ = Step::Text;
        return EnvelopeStatus::Ok;
    case JsonToken::ArrayEnd:
        step_ = Step::Field;
        return fields_.envelope().channels.empty() ? wrongKind() : EnvelopeStatus::Ok;
    default:
        return wrongKind();
    }
}

bool JsonEnvelopes::mayBeScalar(char first) const noexcept {
    const bool isFlag = first == 't' || first == 'f';
    switch (fields_.field()) {
    case EnvelopeField::Data:
        return true;
    case EnvelopeField::End:
        return isFlag;
    case EnvelopeField::Id:
    case EnvelopeField::Retry:
        return !isFlag;
    default:
        return false;
    }
}

// Of the value of a field.
EnvelopeStatus JsonEnvelopes::wrongKind() const noexcept {
    switch (fields_.field()) {
    case EnvelopeField::Type:
        return EnvelopeStatus::BadType;
    case EnvelopeField::Id:
        return EnvelopeStatus::BadId;
    case EnvelopeField::Retry:
        return EnvelopeStatus::BadRetry;
    case EnvelopeField::Channel:
        return EnvelopeStatus::BadChannel;
    default:
        return EnvelopeStatus::BadEnd;
    }
}

} // namespace sse
