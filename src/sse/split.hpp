// Splits a stream of bytes into lines as it arrives: CRLF, CR and LF each end a line, as in an event stream.
#pragma once

#include <cstddef>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/line_ends.hpp"

namespace sse {

inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Finds the lines, and stores nothing. A byte order mark at the start of the stream does not belong to a
// line.
class LineScanner {
public:
    // Passes every part of a line to `visit` (bool(std::string_view part, bool ended)), the last one with
    // `ended` as soon as the line's end arrives; a part may be empty. A CR at the end of a piece ends the
    // line at once; an LF that follows belongs to it. Returns false as soon as `visit` does; then the scanner
    // must not be used any more.
    template <typename Visit>
    bool feed(std::string_view piece, Visit&& visit) noexcept;

    // The stream has ended: what began like a byte order mark was not one.
    template <typename Visit>
    bool finish(Visit&& visit) noexcept;

    // Whether it holds back what may become a byte order mark.
    bool inMark() const noexcept { return atStart_ && mark_ != 0; }

private:
    std::string_view takeStart(const char*& at, const char* end) noexcept;

    bool atStart_ = true;
    bool afterCr_ = false;
    size_t mark_ = 0; // bytes of a byte order mark so far
};

enum class SplitStatus {
    Ok,
    TooLong, // a line is longer than the limit
    NoMemory,
    Stopped, // the sink returned false
};

// Passes on whole lines. It holds memory for the beginning of a line that has not ended, and for at most
// `maxLine` bytes.
class LineSplitter {
public:
    explicit LineSplitter(size_t maxLine) noexcept : maxLine_(maxLine) {}

    // Passes every complete line to `sink` (bool(std::string_view line), without its end and without a byte
    // order mark at the start of the stream; valid during the call only) as soon as its end arrives. After a
    // status other than Ok the splitter must not be used any more.
    template <typename Sink>
    SplitStatus feed(std::string_view piece, Sink&& sink) noexcept;

    // The stream has ended: passes on a last line that has no end.
    template <typename Sink>
    SplitStatus finish(Sink&& sink) noexcept;

    // Whether a line has begun and not ended.
    bool inLine() const noexcept { return !partial_.empty() || lines_.inMark(); }

    // Bytes of memory allocated, at most `maxLine`; frees them between lines.
    size_t held() const noexcept { return partial_.held(); }
    void release() noexcept { partial_.release(); }
    // Frees them in any case; the splitter must not be used any more.
    void discard() noexcept { partial_.reset(); }

private:
    template <typename Sink>
    SplitStatus add(std::string_view part, bool ended, Sink& sink) noexcept;

    size_t maxLine_;
    LineScanner lines_;
    Buffer partial_;
};

template <typename Visit>
bool LineScanner::feed(std::string_view piece, Visit&& visit) noexcept {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    const std::string_view start = takeStart(at, end);
    if (!start.empty() && !visit(start, false)) {
        return false;
    }
    if (afterCr_ && at != end) {
        afterCr_ = false;
        at += *at == '\n' ? 1 : 0;
    }
    LineEnds ends(at, end);
    for (;;) {
        const char* stop = ends.next(at);
        const std::string_view part(at, static_cast<size_t>(stop - at));
        if (stop == end) {
            return part.empty() || visit(part, false);
        }
        at = ends.after(stop);
        afterCr_ = *stop == '\r' && at == end && at - stop == 1;
        if (!visit(part, true)) {
            return false;
        }
    }
}

template <typename Visit>
bool LineScanner::finish(Visit&& visit) noexcept {
    const std::string_view start(kByteOrderMark.data(), inMark() ? mark_ : 0);
    atStart_ = false;
    return start.empty() || visit(start, false);
}

// Consumes what may be a byte order mark; returns what was held back if it is not one.
inline std::string_view LineScanner::takeStart(const char*& at, const char* end) noexcept {
    while (atStart_ && at != end) {
        if (*at != kByteOrderMark[mark_]) {
            atStart_ = false;
            return {kByteOrderMark.data(), mark_};
        }
        ++at;
        ++mark_;
        atStart_ = mark_ < kByteOrderMark.size();
    }
    return {};
}

template <typename Sink>
SplitStatus LineSplitter::feed(std::string_view piece, Sink&& sink) noexcept {
    SplitStatus status = SplitStatus::Ok;
    lines_.feed(piece, [&](std::string_view part, bool ended) noexcept {
        status = add(part, ended, sink);
        return status == SplitStatus::Ok;
    });
    return status;
}

template <typename Sink>
SplitStatus LineSplitter::finish(Sink&& sink) noexcept {
    SplitStatus status = SplitStatus::Ok;
    lines_.finish([&](std::string_view part, bool ended) noexcept {
        status = add(part, ended, sink);
        return status == SplitStatus::Ok;
    });
    return status == SplitStatus::Ok && inLine() ? add({}, true, sink) : status;
}

// Only a part that has no end yet, or that began in an earlier piece, is copied.
template <typename Sink>
SplitStatus LineSplitter::add(std::string_view part, bool ended, Sink& sink) noexcept {
    if (part.size() > maxLine_ - partial_.size()) {
        return SplitStatus::TooLong;
    }
    const bool whole = ended && partial_.empty();
    if (!whole && !partial_.append(part, maxLine_)) {
        return SplitStatus::NoMemory;
    }
    if (!ended) {
        return SplitStatus::Ok;
    }
    if (!sink(whole ? part : partial_.view())) {
        return SplitStatus::Stopped;
    }
    partial_.clear();
    return SplitStatus::Ok;
}

} // namespace sse
