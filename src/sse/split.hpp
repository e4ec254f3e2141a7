// Splits a stream of bytes into lines while it comes in: CRLF, CR and LF each end a line, as in an event
// stream.
#pragma once

#include <cstddef>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/line_ends.hpp"

namespace sse {

inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Finds the lines, and keeps nothing of them. A byte order mark at the start of the stream is none of their
// bytes.
class LineScanner {
public:
    // Hands every part of a line to `take` (bool(std::string_view part, bool ended)), the last one of a line
    // with `ended` as soon as its end has come; a part may be empty. A CR at the end of a piece ends the line
    // at once; an LF that follows belongs to it. false as soon as `take` is; then it is of no further use.
    template <typename Take>
    bool feed(std::string_view piece, Take&& take) noexcept;

    // The stream has ended: what has begun like a byte order mark was none.
    template <typename Take>
    bool finish(Take&& take) noexcept;

    // Whether it keeps back what may become a byte order mark.
    bool inMark() const noexcept { return atStart_ && mark_ != 0; }

private:
    std::string_view takeStart(const char*& at, const char* end) noexcept;

    bool atStart_ = true;
    bool afterCr_ = false;
    size_t mark_ = 0; // bytes of a byte order mark that have come
};

enum class SplitStatus {
    Ok,
    TooLong, // a line is longer than the limit
    NoMemory,
    Stopped, // the sink returned false
};

// Hands out whole lines. It holds memory for the beginning of a line that has not ended, and for no more than
// `maxLine` bytes.
class LineSplitter {
public:
    explicit LineSplitter(size_t maxLine) noexcept : maxLine_(maxLine) {}

    // Hands every line that is complete to `sink` (bool(std::string_view line), without its end and without
    // a byte order mark at the start of the stream; valid during the call only) as soon as its end has come.
    // After a status other than Ok the splitter is of no further use.
    template <typename Sink>
    SplitStatus feed(std::string_view piece, Sink&& sink) noexcept;

    // The stream has ended: hands out a last line that has no end.
    template <typename Sink>
    SplitStatus finish(Sink&& sink) noexcept;

    // Whether a line has begun and not ended.
    bool inLine() const noexcept { return !partial_.empty() || lines_.inMark(); }

    // Bytes of memory that it holds, at most `maxLine`; and gives them back between lines.
    size_t held() const noexcept { return partial_.held(); }
    void release() noexcept { partial_.release(); }
    // Gives them back in any case; it is of no further use then.
    void discard() noexcept { partial_.reset(); }

private:
    template <typename Sink>
    SplitStatus add(std::string_view part, bool ended, Sink& sink) noexcept;

    size_t maxLine_;
    LineScanner lines_;
    Buffer partial_;
};

template <typename Take>
bool LineScanner::feed(std::string_view piece, Take&& take) noexcept {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    const std::string_view start = takeStart(at, end);
    if (!start.empty() && !take(start, false)) {
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
            return part.empty() || take(part, false);
        }
        at = ends.after(stop);
        afterCr_ = *stop == '\r' && at == end && at - stop == 1;
        if (!take(part, true)) {
            return false;
        }
    }
}

template <typename Take>
bool LineScanner::finish(Take&& take) noexcept {
    const std::string_view start(kByteOrderMark.data(), inMark() ? mark_ : 0);
    atStart_ = false;
    return start.empty() || take(start, false);
}

// Takes what may be a byte order mark; returns what was kept back of one and is none.
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

// Only what has no end yet, or has begun in an earlier piece, is copied.
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
