// Parses a published text/event-stream body into events while it comes in (WHATWG HTML 9.2.6), with the
// checks that a publisher's values need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/event.hpp"
#include "sse/short_text.hpp"
#include "sse/split.hpp"
#include "sse/validate.hpp"

namespace sse {

enum class ParseStatus {
    Ok,
    TooLong, // the data of an event is longer than the limit
    NoMemory,
    BadType,    // an `event` field that is not an event type
    BadUtf8,    // data or a type that is not UTF-8, unless it is repaired
    Incomplete, // the body ended inside an event: without a blank line there is none
    Stopped,    // the sink returned false
};

// What a body asks of its parser.
struct ParserOptions {
    bool ignoreIds = false; // no event gets an id of its own
    bool repair = false;    // data and types that are not UTF-8 are repaired (utf8.hpp), not refused
};

// Unlike a browser this parser does not let an id last for the events that follow: an id names one event.
// Whatever it is, it costs no event: it is escaped (publisher_id.hpp), dropped if it is too long for that,
// and ignored with a NUL in it. A block without data is no event, one leading BOM is dropped, a `retry` that
// is not all digits, or of more than 128, is ignored. Comments and unknown fields are skipped, however long
// they are and whatever they hold.
//
// A line is taken apart while it comes in, and its value put where it belongs. So the parser holds memory for
// the data of one event, of at most `maxEvent` bytes, and for no line.
class EventParser {
public:
    // `maxEvent`: bytes of an event's data at most, its lines joined by LF, and repaired where that is asked
    // for.
    explicit EventParser(size_t maxEvent, const ParserOptions& options = {}) noexcept
        : maxEvent_(maxEvent), options_(options) {}

    // Hands every event that is complete to `sink` (bool(const Event&); valid during the call only).
    template <typename Sink>
    ParseStatus feed(std::string_view piece, Sink&& sink) noexcept;

    // The body has ended. Only a blank line makes an event, so there is none to hand out.
    ParseStatus finish() noexcept;

    // Whether something has begun that a blank line has not ended: an unfinished line, or a field.
    bool inEvent() const noexcept { return inBlock_ || inLine(); }

    // How many invalid sequences it has replaced so far.
    uint64_t replaced() const noexcept { return replaced_; }

    // Bytes of memory that it holds, at most `maxEvent`; and gives them back while there is no data.
    size_t held() const noexcept { return data_.held(); }
    void release() noexcept { data_.release(); }
    // Gives them back in any case; it is of no further use then.
    void discard() noexcept { data_.reset(); }

private:
    // What the current line is. A name is one until its colon, or the end of the line, has come.
    enum class Line : uint8_t { Name, Data, Type, Id, Retry, Unknown, Comment };
    Line lineOf(std::string_view name) const noexcept;

    bool inLine() const noexcept { return !isBlank() || lines_.inMark(); }
    bool isBlank() const noexcept { return line_ == Line::Name && text_.empty(); }
    ParseStatus addPart(std::string_view part) noexcept;
    ParseStatus endLine() noexcept;
    ParseStatus beginValue() noexcept;
    ParseStatus addValue(std::string_view part) noexcept;
    ParseStatus endValue() noexcept;
    ParseStatus addData(std::string_view text) noexcept;
    ParseStatus endData() noexcept;
    ParseStatus setType() noexcept;
    void setId() noexcept;
    Event event() const noexcept { return {type_.view(), data_.view(), id_.view(), retry_}; }
    void endBlock() noexcept;

    size_t maxEvent_;
    ParserOptions options_;
    LineScanner lines_;
    uint64_t replaced_ = 0;

    // Of the line.
    Line line_ = Line::Name;
    bool afterColon_ = false;       // nothing of the value has come
    size_t lineStart_ = 0;          // where its data begins
    ShortText<kMaxEventType> text_; // its name, later a value that is not data

    // Of the event.
    Buffer data_;
    ShortText<kMaxEventType> type_;
    PublisherId id_; // as it goes onto the wire
    uint32_t retry_ = 0;
    bool hasData_ = false;
    bool inBlock_ = false;
};

template <typename Sink>
ParseStatus EventParser::feed(std::string_view piece, Sink&& sink) noexcept {
    ParseStatus status = ParseStatus::Ok;
    lines_.feed(piece, [&](std::string_view part, bool ended) noexcept {
        status = addPart(part);
        if (status != ParseStatus::Ok || !ended) {
            return status == ParseStatus::Ok;
        }
        if (!isBlank()) {
            status = endLine();
        } else {
            status = !hasData_ || sink(event()) ? ParseStatus::Ok : ParseStatus::Stopped;
            endBlock();
        }
        return status == ParseStatus::Ok;
    });
    return status;
}

} // namespace sse
