// Splits a stream of bytes into lines while it comes in: CRLF, CR and LF each end a line, as in an event
// stream.
#pragma once

#include <cstddef>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/line_ends.hpp"

namespace sse {

enum class SplitStatus {
    Ok,
    TooLong, // a line is longer than the limit
    NoMemory,
    Stopped, // the sink returned false
};

class LineSplitter {
public:
    explicit LineSplitter(size_t maxLine) noexcept : maxLine_(maxLine) {}

    // Hands every line that is complete to `sink` (bool(std::string_view line), without its end; valid during
    // the call only) as soon as its end has come. A CR at the end of a piece ends the line at once; an LF
    // that follows belongs to it. After a status other than Ok the splitter is of no further use.
    template <typename Sink>
    SplitStatus feed(std::string_view piece, Sink&& sink) noexcept;

    // The stream has ended: hands out a last line that has no end.
    template <typename Sink>
    SplitStatus finish(Sink&& sink) noexcept;

    // Whether a line has begun and not ended.
    bool inLine() const noexcept { return !partial_.empty(); }

private:
    size_t maxLine_;
    bool afterCr_ = false;
    Buffer partial_;
};

template <typename Sink>
SplitStatus LineSplitter::feed(std::string_view piece, Sink&& sink) noexcept {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    if (afterCr_ && at != end) {
        afterCr_ = false;
        at += *at == '\n' ? 1 : 0;
    }
    LineEnds ends(at, end);
    for (;;) {
        const char* stop = ends.next(at);
        std::string_view line(at, static_cast<size_t>(stop - at));
        if (line.size() > maxLine_ - partial_.size()) {
            return SplitStatus::TooLong;
        }
        if (stop == end) {
            return partial_.append(line) ? SplitStatus::Ok : SplitStatus::NoMemory;
        }
        if (!partial_.empty()) {
            if (!partial_.append(line)) {
                return SplitStatus::NoMemory;
            }
            line = partial_.view();
        }
        at = ends.behind(stop);
        afterCr_ = *stop == '\r' && at == end && at - stop == 1;
        if (!sink(line)) {
            return SplitStatus::Stopped;
        }
        partial_.clear();
    }
}

template <typename Sink>
SplitStatus LineSplitter::finish(Sink&& sink) noexcept {
    if (partial_.empty()) {
        return SplitStatus::Ok;
    }
    if (!sink(partial_.view())) {
        return SplitStatus::Stopped;
    }
    partial_.clear();
    return SplitStatus::Ok;
}

} // namespace sse
