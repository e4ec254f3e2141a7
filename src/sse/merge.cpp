#include "sse/merge.hpp"

#include <cstring>

#include "sse/encode.hpp"

namespace sse {

namespace {

// Browsers take no longer id (see publisher_id.hpp).
constexpr size_t kMaxIdLine = IdLine::sizeOf(128, 0);

} // namespace

size_t Merger::add(char* text, size_t size, const MergeableEvent& event) noexcept {
    if (mode_ == MergeMode::Off) {
        return 0;
    }
    const Parts parts = takeApart(text + size - event.size, event);
    if (parts.idLine.empty()) {
        separate();
        return 0;
    }
    size_t shorter = 0;
    if (joins(text, parts, event)) {
        shorter = size - join(text, parts);
    } else {
        open(text, parts);
    }
    channel_ = event.channel;
    hasPublisherId_ = event.hasPublisherId;
    saved_ += shorter;
    return shorter;
}

// What is not as it is rendered here stays as it is.
Merger::Parts Merger::takeApart(const char* bytes, const MergeableEvent& event) noexcept {
    Parts parts;
    std::string_view rest(bytes, event.size);
    if (event.endsChannel || event.idLineLength > kMaxIdLine || event.idLineLength >= rest.size()) {
        return {};
    }
    parts.idLine = rest.substr(0, event.idLineLength);
    rest.remove_prefix(event.idLineLength);
    if (rest.starts_with(kTypeField)) {
        parts.typeLine = rest.substr(0, rest.find('\n') + 1);
        rest.remove_prefix(parts.typeLine.size());
    }
    if (!rest.starts_with(kDataField) || !rest.ends_with("\n\n")) {
        return {};
    }
    parts.dataLines = rest.substr(0, rest.size() - 1);
    return parts;
}

bool Merger::joins(const char* text, const Parts& parts, const MergeableEvent& event) const noexcept {
    return isOpen_ && event.channel == channel_ && (event.hasPublisherId || !hasPublisherId_) &&
           parts.typeLine == std::string_view(text + begin_ + idLine_, typeLine_);
}

void Merger::open(const char* text, const Parts& parts) noexcept {
    isOpen_ = true;
    begin_ = static_cast<size_t>(parts.idLine.data() - text);
    idLine_ = parts.idLine.size();
    typeLine_ = parts.typeLine.size();
    endOfData_ = begin_ + idLine_ + typeLine_ + parts.dataLines.size();
}

// In place, because the whole is never longer than its parts: each byte moves once, those of the first event
// twice. Returns the size of the text.
size_t Merger::join(char* text, const Parts& parts) noexcept {
    char idLine[kMaxIdLine];
    const size_t idLineLength = parts.idLine.copy(idLine, sizeof(idLine));

    if (idLine_ != 0) {
        char* const begin = text + begin_;
        std::memmove(begin, begin + idLine_, endOfData_ - begin_ - idLine_);
        endOfData_ -= idLine_;
        idLine_ = 0;
    }
    std::string_view data = parts.dataLines;
    if (mode_ == MergeMode::Data) {
        --endOfData_; // the line goes on
        data.remove_prefix(kDataField.size());
    }
    std::memmove(text + endOfData_, data.data(), data.size());
    endOfData_ += data.size();
    std::memcpy(text + endOfData_, idLine, idLineLength);
    text[endOfData_ + idLineLength] = '\n';
    return endOfData_ + idLineLength + 1;
}

} // namespace sse
