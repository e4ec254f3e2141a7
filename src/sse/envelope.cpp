#include "sse/envelope.hpp"

#include <algorithm>
#include <iterator>

#include "sse/channel_names.hpp"
#include "sse/utf8.hpp"

namespace sse {

namespace {

// In the order of EnvelopeField.
constexpr std::string_view kNames[] = {"data", "event", "id", "retry", "channel", "end"};

EnvelopeField fieldCalled(std::string_view name) noexcept {
    return static_cast<EnvelopeField>(std::find(std::begin(kNames), std::end(kNames), name) -
                                      std::begin(kNames));
}

} // namespace

EnvelopeStatus EnvelopeFields::begin(std::string_view name, uint64_t at, bool repeats) noexcept {
    static_assert(std::size(kNames) == kFields);
    field_ = fieldCalled(name);
    at_ = at;
    name_ = ShortText<32>(name);
    text_.clear();
    if (field_ == EnvelopeField::Unknown) {
        return EnvelopeStatus::UnknownField;
    }
    if (isGiven(field_) && !(repeats && field_ == EnvelopeField::Channel)) {
        return EnvelopeStatus::DuplicateField;
    }
    given_ |= 1u << static_cast<unsigned>(field_);
    places_[static_cast<size_t>(field_)] = at;
    return EnvelopeStatus::Ok;
}

EnvelopeStatus EnvelopeFields::add(std::string_view part) noexcept {
    if (field_ != EnvelopeField::Data) {
        text_.append(part);
        return EnvelopeStatus::Ok;
    }
    if (part.size() > limits_.maxData - data_.size()) {
        return EnvelopeStatus::TooLong;
    }
    return data_.append(part, limits_.maxData) ? EnvelopeStatus::Ok : EnvelopeStatus::NoMemory;
}

EnvelopeStatus EnvelopeFields::end() noexcept {
    switch (field_) {
    case EnvelopeField::Type:
        return setType();
    case EnvelopeField::Id:
        return setId();
    case EnvelopeField::Retry:
        return setRetry();
    case EnvelopeField::Channel:
        return addChannel();
    case EnvelopeField::End:
        return setEnd();
    case EnvelopeField::Data:
    case EnvelopeField::Unknown:
        break;
    }
    return EnvelopeStatus::Ok;
}

EnvelopeStatus EnvelopeFields::setType() noexcept {
    if (!text_.empty() && !(text_.isWhole() && isEventType(text_.view()))) {
        return EnvelopeStatus::BadType;
    }
    type_ = ShortText<kMaxEventType>(text_.view());
    return EnvelopeStatus::Ok;
}

// Two ids must not become one, so what is not UTF-8 is not repaired.
EnvelopeStatus EnvelopeFields::setId() noexcept {
    if (limits_.ignoreIds) {
        return EnvelopeStatus::Ok;
    }
    id_ = escapePublisherId(text_.view());
    const bool isText = limits_.anyIds || isUtf8(text_.view());
    const bool isValid = text_.isWhole() && isText && id_.empty() == text_.empty();
    return isValid ? EnvelopeStatus::Ok : EnvelopeStatus::BadId;
}

EnvelopeStatus EnvelopeFields::setRetry() noexcept {
    const std::optional<uint32_t> milliseconds = parseRetry(text_.view());
    retry_ = milliseconds.value_or(0);
    return text_.empty() || (text_.isWhole() && milliseconds) ? EnvelopeStatus::Ok : EnvelopeStatus::BadRetry;
}

EnvelopeStatus EnvelopeFields::addChannel() noexcept {
    if (!text_.isWhole() || !isChannelName(text_.view())) {
        return EnvelopeStatus::BadChannel;
    }
    if (hasName(channels_.view(), text_.view())) {
        text_.clear();
        return EnvelopeStatus::Ok;
    }
    if (countNames(channels_.view()) == limits_.maxChannels) {
        return EnvelopeStatus::TooManyChannels;
    }
    const bool added = addName(channels_, text_.view());
    text_.clear();
    return added ? EnvelopeStatus::Ok : EnvelopeStatus::NoMemory;
}

EnvelopeStatus EnvelopeFields::setEnd() noexcept {
    const std::optional<bool> ends = parseFlag(text_.view());
    ends_ = ends.value_or(false);
    return ends ? EnvelopeStatus::Ok : EnvelopeStatus::BadEnd;
}

EnvelopeStatus EnvelopeFields::complete() const noexcept {
    return isGiven(EnvelopeField::Data) ? EnvelopeStatus::Complete : EnvelopeStatus::NoData;
}

FieldPlace EnvelopeFields::placeOf(EnvelopeField field) const noexcept {
    const auto number = static_cast<size_t>(field);
    return {kNames[number], isGiven(field) ? places_[number] : 0};
}

Envelope EnvelopeFields::envelope() const noexcept {
    return {.event = {type_.view(), data_.view(), id_.view(), retry_},
            .channels = channels_.view(),
            .ends = ends_};
}

void EnvelopeFields::clear() noexcept {
    given_ = 0;
    data_.clear();
    type_.clear();
    id_.clear();
    retry_ = 0;
    channels_.clear();
    ends_ = false;
}

void EnvelopeFields::release() noexcept {
    data_.release();
    channels_.release();
}

void EnvelopeFields::discard() noexcept {
    data_.reset();
    channels_.reset();
}

} // namespace sse
