#include "publish/intake.hpp"

#include <optional>

#include "sse/base64.hpp"
#include "sse/utf8.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

// Staged events are passed on at this size at the latest: it limits the memory for many small events in one
// piece, and how much the owner does at a time.
constexpr size_t kMostStaged = 32 * 1024;

// What an event of a batch takes in the log beside its fields, and a little more.
constexpr size_t kRecordCost = 256;

std::string_view withoutMark(std::string_view text) noexcept {
    text.remove_prefix(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
    return text;
}

} // namespace

Intake::Intake(const Options& options, const Owner& owner) noexcept
    : options_(options), owner_(owner), lines_(options.maxData),
      parser_(options.maxData, {.ignoreIds = options.ignoreIds, .repair = options.repair}) {}

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
    if (!name.empty() && isStream()) {
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
    if (isUtf8(line)) {
        return addData(line);
    }
    return options_.repair ? addRepaired(line) : refuseWith(Refusal::BadUtf8);
}

bool Intake::addRepaired(std::string_view line) noexcept {
    const Repair plan = planRepair(line);
    if (plan.size > options_.maxData) {
        return refuseWith(Refusal::EventTooLarge);
    }
    Buffer repaired;
    char* place = repaired.extend(plan.size, plan.size);
    if (place == nullptr) {
        return refuseWith(Refusal::NoMemory);
    }
    repairUtf8(line, place);
    repaired_ += plan.replaced;
    return addData(repaired.view());
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
    return addData(text.view());
}

bool Intake::addData(std::string_view data) noexcept {
    Event event = defaults_;
    event.data = data;
    return stage(event);
}

bool Intake::addParsed(const Event& event) noexcept {
    if (!event.type.empty() && owner_.isReserved(owner_.self, event.type)) {
        return refuseWith(Refusal::ReservedType);
    }
    return stage(event);
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

// --- Staging ---

bool Intake::stage(Event event) noexcept {
    if (event.type.empty()) {
        event.type = defaults_.type;
    }
    if (event.retryMilliseconds == 0) {
        event.retryMilliseconds = defaults_.retryMilliseconds;
    }
    const size_t size = encodedSize(event);
    if (event.data.size() > options_.maxData || !owner_.fits(owner_.self, event.publisherId.size(), size)) {
        return refuseWith(Refusal::EventTooLarge);
    }
    if (options_.maxEvents != 0 && accepted_ == options_.maxEvents) {
        return refuseWith(Refusal::TooManyEvents);
    }
    if (isBatch() && staged_.size() + size + (accepted_ + 1) * kRecordCost > options_.maxBatch) {
        return refuseWith(Refusal::BatchTooLarge);
    }
    if (!isBatch() && staged_.size() >= kMostStaged && !flush()) {
        return false;
    }
    if (!staged_.add(event, size)) {
        return refuseWith(Refusal::NoMemory);
    }
    ++accepted_;
    return true;
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

// --- Memory ---

void Intake::release() noexcept {
    body_.release();
    lines_.release();
    parser_.release();
    if (!isBatch()) {
        staged_.reset(); // the owner has received all of them
    }
}

void Intake::discard() noexcept {
    body_.reset();
    lines_.discard();
    parser_.discard();
    staged_.reset();
}

} // namespace sse
