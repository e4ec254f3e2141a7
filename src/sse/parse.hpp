// Parses a published text/event-stream body into events as it arrives (WHATWG HTML 9.2.6), and checks the
// publisher's values.
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
    Incomplete, // the body ended inside an event, which only a blank line completes
    Stopped,    // the sink returned false
};

// Options for a body.
struct ParserOptions {
    bool ignoreIds = false; // events get no publisher id
    bool wireIds = false;   // the text is the log's own: what it has for an id stays as it is
    bool repair = false;    // data and types that are not UTF-8 are repaired (utf8.hpp), not refused
};

// Unlike a browser, this parser does not apply an id to later events: an id names one event. No id makes an
// event invalid: it is escaped (publisher_id.hpp), dropped if it is too long for that, and ignored with a NUL
// in it. A block without data is not an event, one leading BOM is dropped, and a `retry` that is not all
// digits, or has more than 128, is ignored. Comments and unknown fields are skipped, however long they are
// and whatever they contain.
//
// A line is parsed as it arrives, and its value goes directly into its field. So the parser holds memory for
// the data of one event, at most `maxEvent` bytes, and for no line.
class EventParser {
public:
    // `maxEvent`: the most bytes of an event's data, its lines joined by LF, and repaired if that is asked
    // for.
    explicit EventParser(size_t maxEvent, const ParserOptions& options = {}) noexcept
        : maxEvent_(maxEvent), options_(options) {}

    // Passes every complete event to `sink` (bool(const Event&); valid during the call only).
    template <typename Sink>
    ParseStatus feed(std::string_view piece, Sink&& sink) noexcept;

    // The body has ended. Only a blank line completes an event, so there is none to pass on.
    ParseStatus finish() noexcept;

    // Whether something has begun that no blank line has completed: a partial line, or a field.
    bool inEvent() const noexcept { return inBlock_ || inLine(); }

    // Invalid sequences replaced so far.
    uint64_t replaced() const noexcept { return replaced_; }

    // Bytes of memory allocated, at most `maxEvent`; frees them while there is no data.
    size_t held() const noexcept { return data_.held(); }
    void release() noexcept { data_.release(); }
    // Frees them in any case; the parser must not be used any more.
    void discard() noexcept { data_.reset(); }

private:
    // What the current line is. It is a name until its colon, or the end of the line, has come.
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
    bool afterColon_ = false;       // nothing of the value has come yet
    size_t lineStart_ = 0;          // where the line's data begins
    ShortText<kMaxEventType> text_; // its name, later a value that is not data

    // Of the event.
    Buffer data_;
    ShortText<kMaxEventType> type_;
    ShortText<kMaxWireId> id_; // as on the wire
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
