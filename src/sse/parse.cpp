#include "sse/parse.hpp"

#include "sse/utf8.hpp"

namespace sse {

EventParser::Line EventParser::lineOf(std::string_view name) const noexcept {
    return name == "data"    ? Line::Data
           : name == "event" ? Line::Type
           : name == "id"    ? (options_.ignoreIds ? Line::Unknown : Line::Id)
           : name == "retry" ? Line::Retry
           : name.empty()    ? Line::Comment
                             : Line::Unknown;
}

// "name: value": the first colon separates them; one space after it is not part of the value.
ParseStatus EventParser::addPart(std::string_view part) noexcept {
    if (line_ == Line::Name) {
        const size_t colon = part.find(':');
        text_.append({part.data(), std::min(colon, part.size())});
        if (colon == std::string_view::npos) {
            return ParseStatus::Ok;
        }
        part.remove_prefix(colon + 1);
        if (const ParseStatus status = beginValue(); status != ParseStatus::Ok) {
            return status;
        }
    }
    if (afterColon_ && !part.empty()) {
        afterColon_ = false;
        part.remove_prefix(part.front() == ' ' ? 1 : 0);
    }
    return addValue(part);
}

// Handles the end of a line that is not blank. Without a colon the whole line is the name.
ParseStatus EventParser::endLine() noexcept {
    ParseStatus status = line_ == Line::Name ? beginValue() : ParseStatus::Ok;
    if (status == ParseStatus::Ok) {
        status = endValue();
    }
    inBlock_ = inBlock_ || line_ != Line::Comment;
    line_ = Line::Name;
    afterColon_ = false;
    text_.clear();
    return status;
}

// The name is complete. Lines of data are joined with LF.
ParseStatus EventParser::beginValue() noexcept {
    line_ = lineOf(text_.view());
    afterColon_ = true;
    text_.clear();
    if (line_ != Line::Data) {
        return ParseStatus::Ok;
    }
    const ParseStatus status = hasData_ ? addData("\n") : ParseStatus::Ok;
    hasData_ = true;
    lineStart_ = data_.size();
    return status;
}

ParseStatus EventParser::addValue(std::string_view part) noexcept {
    switch (line_) {
    case Line::Data:
        return addData(part);
    case Line::Id:
        if (part.find('\0') != std::string_view::npos) {
            line_ = Line::Unknown;
            break;
        }
        [[fallthrough]];
    case Line::Type:
    case Line::Retry:
        text_.append(part);
        break;
    case Line::Name:
    case Line::Unknown:
    case Line::Comment:
        break;
    }
    return ParseStatus::Ok;
}

ParseStatus EventParser::addData(std::string_view text) noexcept {
    if (text.size() > maxEvent_ - data_.size()) {
        return ParseStatus::TooLong;
    }
    return data_.append(text, maxEvent_) ? ParseStatus::Ok : ParseStatus::NoMemory;
}

ParseStatus EventParser::endValue() noexcept {
    switch (line_) {
    case Line::Data:
        return endData();
    case Line::Type:
        return setType();
    case Line::Id:
        setId();
        break;
    case Line::Retry:
        if (text_.isWhole()) {
            retry_ = parseRetry(text_.view()).value_or(retry_);
        }
        break;
    case Line::Name:
    case Line::Unknown:
    case Line::Comment:
        break;
    }
    return ParseStatus::Ok;
}

ParseStatus EventParser::endData() noexcept {
    const Repair plan = planRepair({data_.data() + lineStart_, data_.size() - lineStart_});
    if (plan.replaced == 0) {
        return ParseStatus::Ok;
    }
    if (!options_.repair) {
        return ParseStatus::BadUtf8;
    }
    if (plan.size > maxEvent_ - lineStart_) {
        return ParseStatus::TooLong;
    }
    replaced_ += plan.replaced;
    return repairUtf8(data_, lineStart_, plan, maxEvent_) ? ParseStatus::Ok : ParseStatus::NoMemory;
}

// An empty type means none.
ParseStatus EventParser::setType() noexcept {
    const Repair plan = planRepair(text_.view());
    if (text_.isWhole() && plan.replaced != 0 && !options_.repair) {
        return ParseStatus::BadUtf8;
    }
    if (!text_.isWhole() || plan.size > kMaxEventType) {
        return ParseStatus::BadType;
    }
    char type[kMaxEventType];
    repairUtf8(text_.view(), type);
    if (plan.size != 0 && !isEventType({type, plan.size})) {
        return ParseStatus::BadType;
    }
    replaced_ += plan.replaced;
    type_ = ShortText<kMaxEventType>({type, plan.size});
    return ParseStatus::Ok;
}

// An empty id means none, and so does one that is too long.
void EventParser::setId() noexcept {
    id_.clear();
    if (text_.isWhole()) {
        id_.append(options_.wireIds ? text_.view() : escapePublisherId(text_.view()).view());
    }
}

void EventParser::endBlock() noexcept {
    data_.clear();
    type_.clear();
    id_.clear();
    retry_ = 0;
    hasData_ = false;
    inBlock_ = false;
}

ParseStatus EventParser::finish() noexcept {
    lines_.finish([this](std::string_view part, bool) noexcept { return addPart(part) == ParseStatus::Ok; });
    const ParseStatus status = isBlank() ? ParseStatus::Ok : endLine();
    return status == ParseStatus::Ok && inBlock_ ? ParseStatus::Incomplete : status;
}

} // namespace sse
