#include "sse/parse.hpp"

#include "sse/validate.hpp"

namespace sse {

namespace {

struct Field {
    std::string_view name;
    std::string_view value;
};

// "name: value": the first colon parts them, one space behind it is no part of the value; without a colon the
// whole line is the name.
Field splitField(std::string_view line) noexcept {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
        return {line, {}};
    }
    std::string_view value = line;
    value.remove_prefix(colon + 1);
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    return {{line.data(), colon}, value};
}

ParseStatus store(Buffer& buffer, std::string_view value) noexcept {
    buffer.clear();
    return buffer.append(value) ? ParseStatus::Ok : ParseStatus::NoMemory;
}

} // namespace

ParseStatus parseStatus(SplitStatus status) noexcept {
    switch (status) {
    case SplitStatus::Ok:
        return ParseStatus::Ok;
    case SplitStatus::TooLong:
        return ParseStatus::TooLong;
    case SplitStatus::NoMemory:
        return ParseStatus::NoMemory;
    case SplitStatus::Stopped:
        return ParseStatus::Stopped;
    }
    return ParseStatus::Stopped;
}

std::string_view EventParser::withoutBom(std::string_view line) noexcept {
    constexpr std::string_view kBom = "\xef\xbb\xbf";
    if (atStart_ && line.starts_with(kBom)) {
        line.remove_prefix(kBom.size());
    }
    atStart_ = false;
    return line;
}

// Takes a line that is not blank. The value is checked before it is stored; an empty type or id is none.
ParseStatus EventParser::addLine(std::string_view line) noexcept {
    if (!isUtf8(line)) {
        return ParseStatus::BadUtf8;
    }
    if (line.front() == ':') {
        return ParseStatus::Ok;
    }
    inBlock_ = true;
    const auto [name, value] = splitField(line);
    if (name == "data") {
        return addData(value);
    }
    if (name == "event") {
        return value.empty() || isEventType(value) ? store(type_, value) : ParseStatus::BadType;
    }
    if (name == "id") {
        return value.empty() || isOwnId(value) ? store(id_, value) : ParseStatus::BadId;
    }
    if (name == "retry") {
        retry_ = parseRetry(value).value_or(retry_);
    }
    return ParseStatus::Ok;
}

// Lines of data are joined with LF.
ParseStatus EventParser::addData(std::string_view value) noexcept {
    const size_t joint = hasData_ ? 1 : 0;
    if (data_.size() + joint + value.size() > maxEvent_) {
        return ParseStatus::TooLong;
    }
    if (hasData_ && !data_.append("\n")) {
        return ParseStatus::NoMemory;
    }
    hasData_ = true;
    return data_.append(value) ? ParseStatus::Ok : ParseStatus::NoMemory;
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
    ParseStatus status = ParseStatus::Ok;
    lines_.finish([&](std::string_view line) noexcept {
        line = withoutBom(line);
        status = line.empty() ? ParseStatus::Ok : addLine(line);
        return true;
    });
    if (status == ParseStatus::Ok && inBlock_) {
        status = ParseStatus::Incomplete;
    }
    return status;
}

} // namespace sse
