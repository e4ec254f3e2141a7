// Finds where lines end: CRLF, CR and LF each end one.
#pragma once

#include <cstring>
#include <string_view>

namespace sse {

// A text is searched once for CR and once for LF, however many lines it has: each position is kept until it
// is passed.
class LineEnds {
public:
    LineEnds(const char* begin, const char* end) noexcept
        : end_(end), cr_(find(begin, '\r')), lf_(find(begin, '\n')) {}

    // The first CR or LF at or after `from`, or the end of the text. `from` never goes back.
    const char* next(const char* from) noexcept {
        if (cr_ < from) {
            cr_ = find(from, '\r');
        }
        if (lf_ < from) {
            lf_ = find(from, '\n');
        }
        return cr_ < lf_ ? cr_ : lf_;
    }

    // Where the line after the one that ends at `stop` begins; `stop` is a CR or LF.
    const char* after(const char* stop) const noexcept {
        const bool crlf = *stop == '\r' && end_ - stop > 1 && stop[1] == '\n';
        return stop + (crlf ? 2 : 1);
    }

private:
    const char* find(const char* from, char wanted) const noexcept {
        if (from == end_) {
            return end_;
        }
        const void* found = std::memchr(from, wanted, static_cast<size_t>(end_ - from));
        return found == nullptr ? end_ : static_cast<const char*>(found);
    }

    const char* end_;
    const char* cr_;
    const char* lf_;
};

} // namespace sse
