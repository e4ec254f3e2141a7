// Parses a published text/event-stream body into events while it comes in (WHATWG HTML 9.2.6), with the
// checks that a publisher's values need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/encode.hpp"
#include "sse/split.hpp"

namespace sse {

enum class ParseStatus {
    Ok,
    TooLong, // a line or an event is longer than the limit
    NoMemory,
    BadType, // an `event` field that is not an event type
    BadId,   // an `id` field that is not a publisher's id
    BadUtf8,
    Incomplete, // the body ended inside an event: without a blank line there is none
    Stopped,    // the sink returned false
};

// Unlike a browser this parser does not let an id last for the events that follow: an id names one event. A
// block without data is no event, one leading BOM is dropped, unknown fields are ignored, a `retry` that is
// not all digits is ignored.
class EventParser {
public:
    explicit EventParser(size_t maxEvent) noexcept : maxEvent_(maxEvent), lines_(maxEvent + 16) {}

    // Hands every event that is complete to `sink` (bool(const Event&); valid during the call only).
    template <typename Sink>
    ParseStatus feed(std::string_view piece, Sink&& sink) noexcept;

    // The body has ended. Only a blank line makes an event, so there is none to hand out.
    ParseStatus finish() noexcept;

    // Whether something has begun that a blank line has not ended: an unfinished line, or a field.
    bool inEvent() const noexcept { return inBlock_ || lines_.inLine(); }

private:
    std::string_view withoutBom(std::string_view line) noexcept;
    ParseStatus addLine(std::string_view line) noexcept;
    ParseStatus addData(std::string_view value) noexcept;
    Event event() const noexcept { return {type_.view(), data_.view(), id_.view(), retry_}; }
    void endBlock() noexcept;

    size_t maxEvent_;
    LineSplitter lines_;
    Buffer data_;
    Buffer type_;
    Buffer id_;
    uint32_t retry_ = 0;
    bool hasData_ = false;
    bool inBlock_ = false;
    bool atStart_ = true;
};

// What a status of the splitter means to the parser.
ParseStatus parseStatus(SplitStatus status) noexcept;

template <typename Sink>
ParseStatus EventParser::feed(std::string_view piece, Sink&& sink) noexcept {
    ParseStatus status = ParseStatus::Ok;
    const SplitStatus split = lines_.feed(piece, [&](std::string_view line) noexcept {
        line = withoutBom(line);
        if (!line.empty()) {
            status = addLine(line);
        } else {
            status = !hasData_ || sink(event()) ? ParseStatus::Ok : ParseStatus::Stopped;
            endBlock();
        }
        return status == ParseStatus::Ok;
    });
    return status != ParseStatus::Ok ? status : parseStatus(split);
}

} // namespace sse
