// Renders events as SSE bytes (WHATWG HTML 9.2.5): LF only, "name: value" with one space, a blank line at the
// end.
#pragma once

#include <cstddef>
#include <string_view>

#include "sse/event.hpp"

namespace sse {

// The names of the fields, as they begin a line.
inline constexpr std::string_view kTypeField = "event: ";
inline constexpr std::string_view kRetryField = "retry: ";
inline constexpr std::string_view kDataField = "data: ";

// The line that an event begins with, "id: <id>\n" or "id: <id>~<publisher id>\n", as its pieces in order.
// They refer to the texts that it was made from.
struct IdLine {
    static constexpr std::string_view kField = "id: ";

    IdLine(std::string_view logId, std::string_view publishersId) noexcept
        : id(logId), tilde(publishersId.empty() ? "" : "~"), publisherId(publishersId) {}

    // Bytes of the line with ids of these lengths.
    static constexpr size_t sizeOf(size_t id, size_t publishersId) noexcept {
        return kField.size() + id + (publishersId == 0 ? 0 : publishersId + 1) + 1;
    }
    size_t size() const noexcept { return sizeOf(id.size(), publisherId.size()); }

    std::string_view field = kField;
    std::string_view id;
    std::string_view tilde;
    std::string_view publisherId; // empty: none
    std::string_view lineEnd = "\n";
};

// Bytes that encodeFields will write.
size_t encodedSize(const Event& event) noexcept;

// Writes everything after the id line, in the order event, retry, data, and the closing blank line. CRLF, CR
// and LF in the data each end a line; empty data is one empty line. `retry` is kept within its limits.
// Returns the end of what was written; `out` has room for encodedSize(event).
char* encodeFields(const Event& event, char* out) noexcept;

} // namespace sse
