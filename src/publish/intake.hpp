// Turns what a publisher sends into events: bytes in, staged events or a refusal out.
//
//   bytes --framing--> events --defaults, limits--> rendering --> staged events --> their owner
//
// Nothing here knows of nginx, of requests or of a log. The bytes may be cut anywhere without changing the
// result. Between two pieces an intake holds memory for no more than an incomplete event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/refusals.hpp"
#include "publish/staged_events.hpp"
#include "sse/parse.hpp"
#include "sse/split.hpp"

namespace sse {

class Intake {
public:
    enum class Framing : uint8_t {
        Event,  // all bytes are the data of one event
        Lines,  // each line is the data of one event
        Ndjson, // the same, but empty lines are not events
        Sse,    // an event stream
    };

    struct Options {
        Framing framing = Framing::Event;
        size_t maxData;         // bytes of an event's data, after repair
        uint64_t maxEvents = 0; // 0: any number
        bool repair = false;    // what is not UTF-8 is repaired (sse/utf8.hpp), not refused
        bool ignoreIds = false; // ids in an event stream are dropped
        size_t maxBatch = 0;    // not 0: the owner gets all events at once, in the end, or none; in the
                                // log they may take so many bytes together
    };

    // The recipient of the events.
    struct Owner {
        void* self;
        // Takes the staged events, of which there is at least one; they are discarded afterwards. Anything
        // but None ends the intake, with that refusal.
        Refusal (*take)(void* self, const StagedEvents& events) noexcept;
        // Whether an event whose publisher id and rendered fields have so many bytes fits.
        bool (*fits)(void* self, size_t publisherId, size_t fields) noexcept;
        // Whether publishers may not use that type.
        bool (*isReserved)(void* self, std::string_view type) noexcept;
    };

    Intake(const Options& options, const Owner& owner) noexcept;

    // Defaults for events that do not specify their own; before the first piece. The texts are checked, and
    // must live as long as the intake. Empty: none. Each returns why it is refused.
    //
    // `mayBeReserved`: the type comes from the configuration, which may use any.
    Refusal setType(std::string_view type, bool mayBeReserved) noexcept;
    // Only if all bytes are one event: an id names one.
    Refusal setPublisherId(std::string_view id) noexcept;
    // Milliseconds, in digits.
    Refusal setRetry(std::string_view digits) noexcept;
    // "base64": the bytes are any, and become the text of the event as base64. Only if all are one event.
    Refusal setEncoding(std::string_view name) noexcept;

    // Takes the next piece. On return, every event that is complete by now, and that precedes a fault, has
    // been given to the owner, unless it gets all at once. After a refusal the intake is of no further use.
    [[nodiscard]] Refusal feed(std::string_view piece) noexcept;
    // There are no more bytes.
    [[nodiscard]] Refusal finish() noexcept;

    // Whether the bytes may bring any number of events.
    bool isStream() const noexcept { return options_.framing != Framing::Event; }
    // Whether the owner gets all events at once.
    bool isBatch() const noexcept { return options_.maxBatch != 0; }
    // Whether no event of a stream is incomplete.
    bool isBetweenEvents() const noexcept { return !lines_.inLine() && !parser_.inEvent(); }
    // Whether all bytes would be one event, and there are none.
    bool isEmptyEvent() const noexcept { return !isStream() && body_.empty(); }
    // The most bytes that can be one event, if all are.
    size_t maxBody() const noexcept { return options_.maxData + kByteOrderMark.size(); }

    // Events so far, and invalid sequences that have been replaced.
    uint64_t accepted() const noexcept { return accepted_; }
    uint64_t repaired() const noexcept { return repaired_ + parser_.replaced(); }

    // Bytes of memory allocated; frees what is not needed for an incomplete event.
    size_t held() const noexcept { return body_.held() + lines_.held() + parser_.held() + staged_.held(); }
    void release() noexcept;
    // Frees all of it. The intake is of no further use.
    void discard() noexcept;

private:
    bool frame(std::string_view piece) noexcept;
    bool frameEnd() noexcept;
    bool addToBody(std::string_view piece) noexcept;
    bool addLine(std::string_view line) noexcept;
    bool addRepaired(std::string_view line) noexcept;
    bool addEncoded(std::string_view bytes) noexcept;
    bool addData(std::string_view data) noexcept;
    bool addParsed(const Event& event) noexcept;
    bool stage(Event event) noexcept;
    bool flush() noexcept;
    bool check(SplitStatus status) noexcept;
    bool check(ParseStatus status) noexcept;
    bool refuseWith(Refusal refusal) noexcept;

    Options options_;
    Owner owner_;
    Event defaults_;
    bool isBinary_ = false;

    Buffer body_; // if all bytes are one event
    LineSplitter lines_;
    EventParser parser_;
    StagedEvents staged_;

    uint64_t accepted_ = 0;
    uint64_t repaired_ = 0; // in lines
    Refusal refusal_ = Refusal::None;
};

} // namespace sse
