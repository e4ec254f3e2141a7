#include "publish/intake.hpp"

#include <algorithm>
#include <optional>

#include "sse/base64.hpp"
#include "sse/channel_names.hpp"
#include "sse/utf8.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

// Staged events are passed on at this size at the latest: it limits the memory for many small events in one
// piece, and how much the owner does at a time.
constexpr size_t kMostStaged = 32 * 1024;

// What the fields of a form take besides the data.
constexpr size_t kMostFields = 32 * 1024;

std::string_view withoutMark(std::string_view text) noexcept {
    text.remove_prefix(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
    return text;
}

// None: the status is not a fault.
Refusal refusalOf(EnvelopeStatus status) noexcept {
    switch (status) {
    case EnvelopeStatus::Ok:
    case EnvelopeStatus::Complete:
        break;
    case EnvelopeStatus::UnknownField:
        return Refusal::UnknownField;
    case EnvelopeStatus::DuplicateField:
        return Refusal::DuplicateField;
    case EnvelopeStatus::TooLong:
        return Refusal::EventTooLarge;
    case EnvelopeStatus::NoMemory:
        return Refusal::NoMemory;
    case EnvelopeStatus::BadType:
        return Refusal::BadType;
    case EnvelopeStatus::BadId:
        return Refusal::BadPublisherId;
    case EnvelopeStatus::BadRetry:
        return Refusal::BadRetry;
    case EnvelopeStatus::BadChannel:
        return Refusal::BadChannelName;
    case EnvelopeStatus::TooManyChannels:
        return Refusal::TooManyChannels;
    case EnvelopeStatus::BadEnd:
        return Refusal::BadEnd;
    case EnvelopeStatus::NoData:
        return Refusal::NoData;
    case EnvelopeStatus::NotEnvelope:
        return Refusal::NotEnvelope;
    case EnvelopeStatus::BadJson:
        return Refusal::BadJson;
    case EnvelopeStatus::TooDeep:
        return Refusal::TooDeepJson;
    case EnvelopeStatus::Incomplete:
        return Refusal::IncompleteEvent;
    }
    return Refusal::None;
}

} // namespace

Intake::Intake(const Options& options, const Owner& owner) noexcept
    : options_(options), owner_(owner), lines_(options.maxData),
      parser_(options.maxData, {.ignoreIds = options.ignoreIds, .repair = options.repair}),
      fields_(
          {.maxData = options.maxData, .maxChannels = options.maxChannels, .ignoreIds = options.ignoreIds}),
      form_(fields_), json_(fields_) {}

// In a form, one byte may take three.
size_t Intake::maxBody() const noexcept {
    return options_.framing == Framing::Form ? 3 * (options_.maxData + kMostFields)
                                             : options_.maxData + kByteOrderMark.size();
}

// --- Defaults ---

Refusal Intake::setType(std::string_view type, bool mayBeReserved) noexcept {
    if (!type.empty() && !isEventType(type)) {
        return Refusal::BadType;
    }
    if (!type.empty() && !mayBeReserved && owner_.isReserved(owner_.self, type)) {
        return Refusal::ReservedType;
    }
    defaults_.type = type;
    return Refusal::None;
}

Refusal Intake::setPublisherId(std::string_view id) noexcept {
    if (!id.empty() && !isPublisherId(id)) {
        return Refusal::BadPublisherId;
    }
    if (!id.empty() && isStream()) {
        return Refusal::PublisherIdForMany;
    }
    defaults_.publisherId = id;
    return Refusal::None;
}

Refusal Intake::setRetry(std::string_view digits) noexcept {
    const std::optional<uint32_t> milliseconds = parseRetry(digits);
    defaults_.retryMilliseconds = milliseconds.value_or(0);
    return digits.empty() || milliseconds ? Refusal::None : Refusal::BadRetry;
}

Refusal Intake::setEncoding(std::string_view name) noexcept {
    if (!name.empty() && name != "base64") {
        return Refusal::BadEncoding;
    }
    if (!name.empty() && options_.framing != Framing::Event) {
        return Refusal::EncodingForMany;
    }
    isBinary_ = !name.empty();
    return Refusal::None;
}

// --- Framing ---

Refusal Intake::feed(std::string_view piece) noexcept {
    frame(piece);
    if (!isBatch()) {
        flush();
    }
    return refusal_;
}

Refusal Intake::finish() noexcept {
    const bool isWhole = frameEnd();
    if (isWhole || !isBatch()) {
        flush();
    }
    return refusal_;
}

bool Intake::frame(std::string_view piece) noexcept {
    switch (options_.framing) {
    case Framing::Event:
        break;
    case Framing::Lines:
    case Framing::Ndjson:
        return check(lines_.feed(piece, [this](std::string_view line) noexcept { return addLine(line); }));
    case Framing::Sse:
        return check(parser_.feed(piece, [this](const Event& event) noexcept { return addParsed(event); }));
    case Framing::Form:
        return check(form_.feed(piece), form_.position());
    case Framing::Json:
        return addJson(piece);
    }
    return addToBody(piece);
}

bool Intake::frameEnd() noexcept {
    switch (options_.framing) {
    case Framing::Event:
        break;
    case Framing::Lines:
    case Framing::Ndjson:
        return check(lines_.finish([this](std::string_view line) noexcept { return addLine(line); }));
    case Framing::Sse:
        return check(parser_.finish());
    case Framing::Form:
        return check(form_.finish(), form_.position()) && addEnvelope();
    case Framing::Json:
        return check(json_.finish(), json_.at());
    }
    return isBinary_ ? addEncoded(body_.view()) : addLine(withoutMark(body_.view()));
}

bool Intake::addToBody(std::string_view piece) noexcept {
    if (piece.size() > maxBody() - body_.size()) {
        return refuseWith(Refusal::EventTooLarge);
    }
    return body_.append(piece, maxBody()) || refuseWith(Refusal::NoMemory);
}

// The data of one event, without a type or id of its own.
bool Intake::addLine(std::string_view line) noexcept {
    if (line.empty() && options_.framing == Framing::Ndjson) {
        return true;
    }
    return addText({.event = {.data = line}});
}

// The types and channels of the event are valid.
bool Intake::addText(const Envelope& envelope) noexcept {
    if (isUtf8(envelope.event.data)) {
        return stage(envelope);
    }
    return options_.repair ? addRepaired(envelope)
                           : refuseField(Refusal::BadUtf8, fields_.placeOf(EnvelopeField::Data));
}

bool Intake::addRepaired(Envelope envelope) noexcept {
    const std::string_view text = envelope.event.data;
    const Repair plan = planRepair(text);
    if (plan.size > options_.maxData) {
        return refuseField(Refusal::EventTooLarge, fields_.placeOf(EnvelopeField::Data));
    }
    Buffer repaired;
    char* place = repaired.extend(plan.size, plan.size);
    if (place == nullptr) {
        return refuseWith(Refusal::NoMemory);
    }
    repairUtf8(text, place);
    repaired_ += plan.replaced;
    envelope.event.data = repaired.view();
    return stage(envelope);
}

bool Intake::addEncoded(std::string_view bytes) noexcept {
    const size_t size = base64Size(bytes.size());
    if (size > options_.maxData) {
        return refuseWith(Refusal::EventTooLarge);
    }
    Buffer text;
    char* place = text.extend(size, size);
    if (place == nullptr) {
        return refuseWith(Refusal::NoMemory);
    }
    base64Encode(bytes, place);
    return stage({.event = {.data = text.view()}});
}

bool Intake::addParsed(const Event& event) noexcept {
    if (!event.type.empty() && owner_.isReserved(owner_.self, event.type)) {
        return refuseWith(Refusal::ReservedType);
    }
    return stage({.event = event});
}

bool Intake::addJson(std::string_view piece) noexcept {
    for (;;) {
        const EnvelopeStatus status = json_.read(piece);
        if (status != EnvelopeStatus::Complete) {
            return check(status, json_.at());
        }
        if (!addEnvelope()) {
            return false;
        }
        fields_.clear();
    }
}

// The fields are those of an envelope.
bool Intake::addEnvelope() noexcept {
    const Envelope envelope = fields_.envelope();
    if (!envelope.event.type.empty() && owner_.isReserved(owner_.self, envelope.event.type)) {
        return refuseField(Refusal::ReservedType, fields_.placeOf(EnvelopeField::Type));
    }
    if (envelope.ends && !options_.mayEnd) {
        return refuseField(Refusal::EndNotAllowed, fields_.placeOf(EnvelopeField::End));
    }
    Refusal refusal = Refusal::None;
    const auto check = [&](std::string_view channel) noexcept {
        refusal = owner_.checkChannel(owner_.self, channel);
        return refusal == Refusal::None;
    };
    if (envelope.channels.empty()) {
        return check({}) ? addText(envelope) : refuseAt(refusal, json_.start());
    }
    return eachName(envelope.channels, check) ? addText(envelope)
                                              : refuseField(refusal, fields_.placeOf(EnvelopeField::Channel));
}

// Stopped: the sink has already refused.
bool Intake::check(SplitStatus status) noexcept {
    switch (status) {
    case SplitStatus::Ok:
        return true;
    case SplitStatus::TooLong:
        return refuseWith(Refusal::EventTooLarge);
    case SplitStatus::NoMemory:
        return refuseWith(Refusal::NoMemory);
    case SplitStatus::Stopped:
        break;
    }
    return false;
}

bool Intake::check(ParseStatus status) noexcept {
    switch (status) {
    case ParseStatus::Ok:
        return true;
    case ParseStatus::TooLong:
        return refuseWith(Refusal::EventTooLarge);
    case ParseStatus::NoMemory:
        return refuseWith(Refusal::NoMemory);
    case ParseStatus::BadType:
        return refuseWith(Refusal::BadType);
    case ParseStatus::BadUtf8:
        return refuseWith(Refusal::BadUtf8);
    case ParseStatus::Incomplete:
        return refuseWith(Refusal::IncompleteEvent);
    case ParseStatus::Stopped:
        break;
    }
    return false;
}

bool Intake::check(EnvelopeStatus status, uint64_t at) noexcept {
    const Refusal refusal = refusalOf(status);
    return refusal == Refusal::None ? true
           : isFaultOfField(status) ? refuseField(refusal, fields_.place())
                                    : refuseAt(refusal, at);
}

// --- Staging ---

bool Intake::stage(Envelope envelope) noexcept {
    Event& event = envelope.event;
    event.type = event.type.empty() ? defaults_.type : event.type;
    event.publisherId = event.publisherId.empty() ? defaults_.publisherId : event.publisherId;
    if (event.retryMilliseconds == 0) {
        event.retryMilliseconds = defaults_.retryMilliseconds;
    }
    const size_t size = encodedSize(event);
    const size_t copies = std::max<size_t>(countNames(envelope.channels), 1);
    if (event.data.size() > options_.maxData || !fits(envelope, size)) {
        return refuseField(Refusal::EventTooLarge, fields_.placeOf(EnvelopeField::Data));
    }
    // All copies are appended at once.
    if (event.data.size() > std::max(options_.maxData, kMostStaged) / copies) {
        return refuseField(Refusal::TooLargeForChannels, fields_.placeOf(EnvelopeField::Channel));
    }
    if (options_.maxEvents != 0 && copies > options_.maxEvents - copies_) {
        return refuseAt(Refusal::TooManyEvents, json_.start());
    }
    if (isBatch() && !fitsBatch(event, size)) {
        return refuseAt(Refusal::BatchTooLarge, json_.start());
    }
    if (!isBatch() && staged_.size() >= kMostStaged && !flush()) {
        return false;
    }
    if (!staged_.add(envelope, size)) {
        return refuseWith(Refusal::NoMemory);
    }
    ++accepted_;
    copies_ += copies;
    return true;
}

bool Intake::fits(const Envelope& envelope, size_t size) noexcept {
    const auto fits = [&](std::string_view channel) noexcept {
        return owner_.fits(owner_.self, channel, envelope.event.publisherId.size(), size);
    };
    return envelope.channels.empty() ? fits({}) : eachName(envelope.channels, fits);
}

// Whether one more event of that rendered size may belong to what is published as a whole.
bool Intake::fitsBatch(const Event& event, size_t size) const noexcept {
    const size_t records = (accepted_ + 1) * options_.recordCost;
    return staged_.size() + event.publisherId.size() + size + records <= options_.maxBatch &&
           (options_.maxBatchEvents == 0 || accepted_ < options_.maxBatchEvents);
}

// Gives the owner what is staged, including what precedes a fault.
bool Intake::flush() noexcept {
    if (staged_.empty()) {
        return true;
    }
    const Refusal refusal = owner_.take(owner_.self, staged_);
    staged_.clear();
    return refusal == Refusal::None || refuseWith(refusal);
}

// Always false, which ends the intake. The first reason counts.
bool Intake::refuseWith(Refusal refusal) noexcept {
    if (refusal_ == Refusal::None) {
        refusal_ = refusal;
    }
    return false;
}

// The same, and says which field of an envelope is at fault.
bool Intake::refuseField(Refusal refusal, const FieldPlace& place) noexcept {
    setPlace({.field = place.name, .at = place.at});
    return refuseWith(refusal);
}

// The same, and says where.
bool Intake::refuseAt(Refusal refusal, uint64_t at) noexcept {
    setPlace({.at = at});
    return refuseWith(refusal);
}

// Only if the framing has such places.
void Intake::setPlace(RefusalPlace place) noexcept {
    if (refusal_ == Refusal::None && options_.framing >= Framing::Form) {
        place.envelope = isStream() ? std::optional(accepted_) : std::nullopt;
        place_ = place;
    }
}

// --- Memory ---

void Intake::release() noexcept {
    body_.release();
    lines_.release();
    parser_.release();
    fields_.release();
    if (!isBatch()) {
        staged_.reset(); // the owner has received all of them
    }
}

void Intake::discard() noexcept {
    body_.reset();
    lines_.discard();
    parser_.discard();
    fields_.discard();
    staged_.reset();
}

} // namespace sse
