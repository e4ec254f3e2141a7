// Turns what a publisher sends into events: bytes in, staged events or a refusal out.
//
//   bytes --framing--> events --defaults, limits--> rendering --> staged events --> their owner
//
// Nothing here knows of nginx, of requests or of a log. The bytes may be cut anywhere without changing the
// result. Between two pieces an intake holds memory for no more than an incomplete event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/refusals.hpp"
#include "sse/envelope.hpp"
#include "sse/form_envelope.hpp"
#include "sse/json_envelopes.hpp"
#include "sse/parse.hpp"
#include "sse/split.hpp"
#include "sse/staged_events.hpp"

namespace sse {

class Intake {
public:
    enum class Framing : uint8_t {
        Event,  // all bytes are the data of one event
        Lines,  // each line is the data of one event
        Ndjson, // the same, but empty lines are not events
        Sse,    // an event stream
        Form,   // all bytes are the fields of one event
        Json,   // envelopes in JSON
    };

    struct Options {
        Framing framing = Framing::Event;
        size_t maxData;              // bytes of an event's data, after repair
        uint64_t maxEvents = 0;      // 0: any number
        bool repair = false;         // what is not UTF-8 is repaired (sse/utf8.hpp), not refused
        bool ignoreIds = false;      // ids in the bytes are dropped
        size_t maxChannels = 0;      // that an envelope may name
        bool mayEnd = false;         // an envelope may end its channels
        size_t maxBatch = 0;         // not 0: the owner gets all events at once, at the end, or none; in the
                                     // log they may take this many bytes together
        size_t recordCost = 0;       // what each takes there besides its fields and its publisher id
        uint64_t maxBatchEvents = 0; // how many events there may be then; 0: any number
    };

    // The recipient of the events.
    struct Owner {
        void* self;
        // Takes the staged events, of which there is at least one; they are discarded afterwards. Anything
        // but None ends the intake, with that refusal.
        Refusal (*take)(void* self, const StagedEvents& events) noexcept;
        // Whether an event for that channel fits if its publisher id and rendered fields have this many
        // bytes. Without a name it is the owner's usual channel.
        bool (*fits)(void* self, std::string_view channel, size_t publisherId, size_t fields) noexcept;
        // Whether publishers may not use that type.
        bool (*isReserved)(void* self, std::string_view type) noexcept;
        // Why no envelope may go to that channel, or, without a name, to the usual one.
        Refusal (*checkChannel)(void* self, std::string_view channel) noexcept;
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
    // "base64": the bytes may have any values, and become the text of the event as base64. Only if all are
    // one event.
    Refusal setEncoding(std::string_view name) noexcept;

    // Takes the next piece. On return, every event that is complete by now, and that precedes a fault, has
    // been given to the owner, unless the owner gets all at once. After a refusal the intake is of no further
    // use.
    [[nodiscard]] Refusal feed(std::string_view piece) noexcept;
    // There are no more bytes.
    [[nodiscard]] Refusal finish() noexcept;

    // Whether the bytes may bring any number of events.
    bool isStream() const noexcept {
        return options_.framing != Framing::Event && options_.framing != Framing::Form;
    }
    // Whether the owner gets all events at once.
    bool isBatch() const noexcept { return options_.maxBatch != 0; }
    // Whether no event of a stream is incomplete.
    bool isBetweenEvents() const noexcept {
        return !lines_.inLine() && !parser_.inEvent() && !json_.inEnvelope();
    }
    // Whether all bytes would be one event, and there are no bytes.
    bool isEmptyEvent() const noexcept { return !isStream() && body_.empty() && form_.position() == 0; }
    // The most bytes that can be one event, if all are.
    size_t maxBody() const noexcept;

    // The refusal that has ended the intake; None: it goes on.
    Refusal refusal() const noexcept { return refusal_; }
    // Where the fault is that has been refused; nullopt if the framing does not tell, or if the fault is not
    // in the bytes.
    const std::optional<RefusalPlace>& place() const noexcept { return place_; }

    // Events so far, and invalid sequences that have been replaced. One for several channels counts once.
    uint64_t accepted() const noexcept { return accepted_; }
    uint64_t repaired() const noexcept { return repaired_ + parser_.replaced(); }

    // held(): bytes of memory allocated. release() frees what is not needed for an incomplete event.
    size_t held() const noexcept {
        return body_.held() + lines_.held() + parser_.held() + fields_.held() + staged_.held();
    }
    void release() noexcept;
    // Frees all of it. The intake is of no further use.
    void discard() noexcept;

private:
    bool frame(std::string_view piece) noexcept;
    bool frameEnd() noexcept;
    bool addToBody(std::string_view piece) noexcept;
    bool addLine(std::string_view line) noexcept;
    bool addText(const Envelope& envelope) noexcept;
    bool addRepaired(Envelope envelope) noexcept;
    bool addEncoded(std::string_view bytes) noexcept;
    bool addParsed(const Event& event) noexcept;
    bool addJson(std::string_view piece) noexcept;
    bool addEnvelope() noexcept;
    bool stage(Envelope envelope) noexcept;
    bool fits(const Envelope& envelope, size_t size) noexcept;
    bool fitsBatch(const Event& event, size_t size) const noexcept;
    bool flush() noexcept;
    bool check(SplitStatus status) noexcept;
    bool check(ParseStatus status) noexcept;
    bool check(EnvelopeStatus status, uint64_t at) noexcept;
    bool refuseWith(Refusal refusal) noexcept;
    bool refuseField(Refusal refusal, const FieldPlace& place) noexcept;
    bool refuseAt(Refusal refusal, uint64_t at) noexcept;
    void setPlace(RefusalPlace place) noexcept;

    Options options_;
    Owner owner_;
    Event defaults_;
    bool isBinary_ = false;

    Buffer body_; // if all bytes are one event
    LineSplitter lines_;
    EventParser parser_;
    EnvelopeFields fields_; // of a form, or of JSON
    FormEnvelope form_;
    JsonEnvelopes json_;
    StagedEvents staged_;

    uint64_t accepted_ = 0;
    uint64_t copies_ = 0;   // the same, but one for several channels counts once for each
    uint64_t repaired_ = 0; // not in an event stream
    Refusal refusal_ = Refusal::None;
    std::optional<RefusalPlace> place_;
};

} // namespace sse
