// Takes rendered events apart again: the inverse of encodeFields().
#pragma once

#include <cstddef>
#include <string_view>

namespace sse {

// What encodeFields() has written; views of it.
struct RenderedFields {
    std::string_view type;      // empty: none
    std::string_view retry;     // in digits; empty: none
    std::string_view dataLines; // "data: a\ndata: b\n", at least one

    // Whether the data is one line; then that is dataLine(), and nothing needs to be copied.
    bool isOneLine() const noexcept;
    std::string_view dataLine() const noexcept;

    // Writes the data, its lines with LF between them, and returns its end. `out` has room for
    // dataLines.size() bytes.
    char* writeData(char* out) const noexcept;
};

// `fields` is what encodeFields() has written.
RenderedFields decodeFields(std::string_view fields) noexcept;

} // namespace sse
