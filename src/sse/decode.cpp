#include "sse/decode.hpp"

#include <cstring>

#include "sse/encode.hpp"

namespace sse {

namespace {

// Removes the line that `text` begins with and returns it, without its end.
std::string_view takeLine(std::string_view& text) noexcept {
    const size_t end = text.find('\n');
    const std::string_view line(text.data(), end);
    text.remove_prefix(end + 1);
    return line;
}

// The same for the value of the field of that name; empty if it begins with another one.
std::string_view takeField(std::string_view& text, std::string_view name) noexcept {
    if (!text.starts_with(name)) {
        return {};
    }
    text.remove_prefix(name.size());
    return takeLine(text);
}

} // namespace

bool RenderedFields::isOneLine() const noexcept {
    return dataLines.find('\n') == dataLines.size() - 1;
}

std::string_view RenderedFields::dataLine() const noexcept {
    return {dataLines.data() + kDataField.size(), dataLines.size() - kDataField.size() - 1};
}

char* RenderedFields::writeData(char* out) const noexcept {
    std::string_view rest = dataLines;
    while (!rest.empty()) {
        const std::string_view line = takeField(rest, kDataField);
        if (!line.empty()) {
            out = static_cast<char*>(std::memcpy(out, line.data(), line.size())) + line.size();
        }
        *out++ = '\n';
    }
    return out - 1;
}

RenderedFields decodeFields(std::string_view fields) noexcept {
    RenderedFields rendered;
    rendered.type = takeField(fields, kTypeField);
    rendered.retry = takeField(fields, kRetryField);
    rendered.dataLines = {fields.data(), fields.size() - 1};
    return rendered;
}

} // namespace sse
