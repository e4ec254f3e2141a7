#include "sse/encode.hpp"

#include <algorithm>
#include <charconv>

#include "sse/bytes.hpp"
#include "sse/line_ends.hpp"

namespace sse {

namespace {

char* putField(char* out, std::string_view name, std::string_view value) noexcept {
    out = put(put(out, name), value);
    *out++ = '\n';
    return out;
}

// The digits of the value that is sent as `retry`.
std::string_view retryText(uint32_t milliseconds, char (&digits)[10]) noexcept {
    const auto end =
        std::to_chars(digits, digits + sizeof(digits), std::clamp(milliseconds, kMinRetry, kMaxRetry));
    return {digits, static_cast<size_t>(end.ptr - digits)};
}

// Calls `visit` with every line of `data`, without its end; there is always one more line than there are
// ends.
template <typename Visit>
void eachLine(std::string_view data, Visit&& visit) noexcept {
    const char* at = data.data();
    const char* const end = at + data.size();
    LineEnds ends(at, end);
    for (;;) {
        const char* stop = ends.next(at);
        visit(std::string_view(at, static_cast<size_t>(stop - at)));
        if (stop == end) {
            return;
        }
        at = ends.after(stop);
    }
}

} // namespace

size_t encodedSize(const Event& event) noexcept {
    size_t size = 1; // the blank line
    if (!event.type.empty()) {
        size += kTypeField.size() + event.type.size() + 1;
    }
    if (event.retryMilliseconds != 0) {
        char digits[10];
        size += kRetryField.size() + retryText(event.retryMilliseconds, digits).size() + 1;
    }
    eachLine(event.data,
             [&](std::string_view line) noexcept { size += kDataField.size() + line.size() + 1; });
    return size;
}

char* encodeFields(const Event& event, char* out) noexcept {
    if (!event.type.empty()) {
        out = putField(out, kTypeField, event.type);
    }
    if (event.retryMilliseconds != 0) {
        char digits[10];
        out = putField(out, kRetryField, retryText(event.retryMilliseconds, digits));
    }
    eachLine(event.data, [&](std::string_view line) noexcept { out = putField(out, kDataField, line); });
    *out++ = '\n';
    return out;
}

} // namespace sse
