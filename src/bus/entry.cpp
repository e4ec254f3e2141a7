#include "bus/entry.hpp"

#include <algorithm>

#include "bus/command.hpp"
#include "sse/channel_names.hpp"
#include "sse/percent.hpp"
#include "sse/utf8.hpp"
#include "sse/validate.hpp"

namespace sse {

// --- Reading ---

namespace {

std::string_view faultText(EnvelopeStatus status) noexcept {
    switch (status) {
    case EnvelopeStatus::DuplicateField:
        return "a field comes twice";
    case EnvelopeStatus::TooLong:
        return "the data is too long";
    case EnvelopeStatus::BadType:
        return "bad event type";
    case EnvelopeStatus::BadId:
        return "bad id";
    case EnvelopeStatus::BadRetry:
        return "bad retry";
    case EnvelopeStatus::BadChannel:
        return "bad channel name, or none";
    case EnvelopeStatus::BadEnd:
        return "a flag is neither true nor false";
    case EnvelopeStatus::NoData:
        return "no data";
    default:
        return "not names and values in turn";
    }
}

} // namespace

EntryKind EntryReader::read(const Reply& fields) noexcept {
    fields_.clear();
    status_ = fields.count % 2 == 0 ? EnvelopeStatus::Ok : EnvelopeStatus::NotEnvelope;
    isBreak_ = isRaise_ = std::nullopt;
    reopens_ = true;
    token_.reset();
    envelope_ = {};
    replaced_ = 0;
    for (const Reply* name = fields.first; name != nullptr && name->next != nullptr;) {
        const Reply* value = name->next;
        if (!name->is(Reply::Type::Text) || !value->is(Reply::Type::Text)) {
            note(EnvelopeStatus::NotEnvelope);
            break;
        }
        readField(name->text, value->text);
        name = value->next;
    }
    return complete();
}

std::string_view EntryReader::channel() const noexcept {
    std::string_view channel;
    eachName(envelope_.channels, [&](std::string_view name) noexcept {
        channel = name;
        return true;
    });
    return channel;
}

std::string_view EntryReader::fault() const noexcept {
    return faultText(status_);
}

void EntryReader::readField(std::string_view name, std::string_view value) noexcept {
    if (name == "token") {
        readToken(value);
    } else if (name == "break") {
        readFlag(isBreak_, value);
    } else if (name == "raise") {
        readFlag(isRaise_, value);
    } else if (name == "reopen") {
        reopens_ = reopens_ && parseFlag(value).value_or(true);
    } else {
        readEnvelopeField(name, value);
    }
}

void EntryReader::readFlag(std::optional<bool>& flag, std::string_view value) noexcept {
    const std::optional<bool> isSet = parseFlag(value);
    note(flag ? EnvelopeStatus::DuplicateField : isSet ? EnvelopeStatus::Ok : EnvelopeStatus::BadEnd);
    flag = isSet.value_or(false);
}

void EntryReader::readToken(std::string_view value) noexcept {
    note(token_ ? EnvelopeStatus::DuplicateField : EnvelopeStatus::Ok);
    token_ = value;
}

void EntryReader::readEnvelopeField(std::string_view name, std::string_view value) noexcept {
    EnvelopeStatus status = fields_.begin(name, 0, false);
    if (status == EnvelopeStatus::UnknownField) {
        return;
    }
    if (status == EnvelopeStatus::Ok) {
        status = fields_.add(value);
    }
    note(status == EnvelopeStatus::Ok ? fields_.end() : status);
}

// A break counts whatever else the entry says: all machines must take it for one.
EntryKind EntryReader::complete() noexcept {
    if (isBreak_.value_or(false)) {
        return EntryKind::Break;
    }
    if (isRaise_.value_or(false)) {
        return EntryKind::Raise;
    }
    return status_ == EnvelopeStatus::Ok ? completeEvent() : refuse(status_);
}

EntryKind EntryReader::completeEvent() noexcept {
    envelope_ = fields_.envelope();
    if (envelope_.channels.empty()) {
        return refuse(EnvelopeStatus::BadChannel);
    }
    if (fields_.complete() == EnvelopeStatus::NoData) {
        return envelope_.ends ? EntryKind::End : refuse(EnvelopeStatus::NoData);
    }
    const std::string_view text = envelope_.event.data;
    if (isUtf8(text)) {
        return EntryKind::Event;
    }
    const Repair plan = planRepair(text);
    if (plan.size > maxData_) {
        return refuse(EnvelopeStatus::TooLong);
    }
    repaired_.clear();
    char* place = repaired_.extend(plan.size, maxData_);
    if (place == nullptr) {
        return refuse(EnvelopeStatus::NoMemory);
    }
    repairUtf8(text, place);
    replaced_ = plan.replaced;
    envelope_.event.data = repaired_.view();
    return EntryKind::Event;
}

EntryKind EntryReader::refuse(EnvelopeStatus status) noexcept {
    status_ = status;
    return status == EnvelopeStatus::NoMemory ? EntryKind::NoMemory : EntryKind::Bad;
}

// The first fault counts, except that a lack of memory takes precedence over all others.
void EntryReader::note(EnvelopeStatus fault) noexcept {
    if (status_ == EnvelopeStatus::Ok || fault == EnvelopeStatus::NoMemory) {
        status_ = fault;
    }
}

void EntryReader::release() noexcept {
    fields_.clear();
    fields_.release();
    repaired_.reset();
    envelope_ = {};
}

// --- Writing ---

// An id is escaped when it is read, so it is written as the publisher gave it.
bool EntryWords::setEvent(std::string_view channel, const StagedEvent& event, EntryFlags flags,
                          std::string_view token) noexcept {
    const RenderedFields fields = decodeFields(event.fields);
    count_ = 0;
    add("channel", channel);
    add("event", fields.type);
    add("id", {id_, percentDecode(event.publisherId, id_)});
    add("retry", fields.retry);
    if (!addData(fields)) {
        return false;
    }
    add("end", flags.ends ? "1" : "");
    add("reopen", flags.reopens ? "" : "0");
    add("token", token);
    return true;
}

void EntryWords::setEnd(std::string_view channel, std::string_view token) noexcept {
    count_ = 0;
    add("channel", channel);
    add("end", "1");
    add("token", token);
}

// An empty value: the entry has no such field.
void EntryWords::add(std::string_view name, std::string_view value) noexcept {
    if (!value.empty()) {
        words_[count_++] = name;
        words_[count_++] = value;
    }
}

bool EntryWords::addData(const RenderedFields& fields) noexcept {
    std::string_view data = fields.dataLine();
    if (!fields.isOneLine()) {
        data_.clear();
        char* place = data_.extend(fields.dataLines.size());
        if (place == nullptr) {
            return false;
        }
        data = {place, static_cast<size_t>(fields.writeData(place) - place)};
    }
    words_[count_++] = "data"; // which may be empty
    words_[count_++] = data;
    return true;
}

namespace {

constexpr size_t kPrefix = 3; // XADD <stream> *

bool addWords(Buffer& out, std::string_view stream, const EntryWords& entry) noexcept {
    std::string_view words[kPrefix + EntryWords::kMost] = {"XADD", stream, "*"};
    const std::span<const std::string_view> fields = entry.view();
    std::copy(fields.begin(), fields.end(), words + kPrefix);
    return addCommand(out, {words, kPrefix + fields.size()});
}

} // namespace

bool addEntryCommand(Buffer& out, std::string_view stream, std::string_view channel, const StagedEvent& event,
                     EntryFlags flags, std::string_view token) noexcept {
    EntryWords entry;
    return entry.setEvent(channel, event, flags, token) && addWords(out, stream, entry);
}

bool addEndCommand(Buffer& out, std::string_view stream, std::string_view channel,
                   std::string_view token) noexcept {
    EntryWords entry;
    entry.setEnd(channel, token);
    return addWords(out, stream, entry);
}

} // namespace sse
