// Every refusal of the module, and how it is answered and counted.
//
// Knows no nginx: code without nginx (publish/intake) can use it to say why it refuses.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "counters/counts.hpp"
#include "log/event_id.hpp"

namespace sse {

enum class Refusal : uint8_t {
    None, // nothing is refused

    // The request.
    MethodNotAllowed,
    ForeignPage,
    NoChannel,
    BadChannelName,
    TooManyChannels,
    UnknownChannel,
    ChannelEnded,
    BadWait,
    BadWaitTime,
    WaitCutByDrain,
    ListNotAllowed,
    BadListLimit,
    BadListCursor,
    ListCursorGone,
    BadTop,
    BadStart,
    Expired,
    EventsGone,
    IndexFull,
    NotFilled, // the zone has not caught up yet with the stream that it copies
    Kicked,
    TooManyInZone,
    TooManyOnChannel,
    TooManyOfKey,
    KeysFull,

    // A kick.
    NobodyToKick,
    BadKickTime,
    KicksFull,
    KickedHere,

    // A body, as part of a request.
    EncodedBody,
    MultipartBody,
    BodyNotKept,
    BodyUnreadable,
    BodyTooLarge,
    MalformedBody,
    BodyPaused,
    BodyCutByDrain,
    ClientMemory,

    // The events.
    BadType,
    ReservedType,
    BadPublisherId,
    PublisherIdForMany,
    BadRetry,
    BadEncoding,
    EncodingForMany,
    BadUtf8,
    IncompleteEvent,
    EventTooLarge,
    TooManyEvents,
    BatchTooLarge,

    // Its preconditions.
    BadIdempotencyKey,
    BadProducer,
    KeyAndProducer,
    NoEvents,
    BadEntityTags,
    LengthRequired,
    StaleEpoch,
    OutOfSequence,
    Unmatched,

    // The fields of a form, or JSON.
    BadJson,
    TooDeepJson,
    NotEnvelope,
    UnknownField,
    DuplicateField,
    NoData,
    BadEnd,
    EndNotAllowed,
    ChannelsNotAllowed,
    ForeignChannel,
    ChannelsInBatch,
    TooLargeForChannels,

    // The server.
    NoMemory,
    Retired, // the zone has been replaced by one of another size
    Locked,  // another process holds the lock of the zone and does not let go

    // The bus.
    NotWithBus,     // a condition about the newest event of a channel, which only the stream knows
    BusAway,        // Redis is not available
    BusRefuses,     // Redis has answered with an error: no memory, no disk, too few replicas, …
    OutcomeUnknown, // it is not known whether Redis has the events
};

// Where in a body the fault is.
struct RefusalPlace {
    std::optional<std::string_view> field = std::nullopt;
    std::optional<uint64_t> envelope = std::nullopt; // how many precede it
    uint64_t at = 0;                                 // bytes that precede it
};

// How a refusal is answered and counted. The texts are plain ASCII and live as long as the program.
struct RefusalAnswer {
    uint16_t status;
    RefusalGroup group; // what it is counted as
    std::string_view reason;
    std::string_view retryAfter = {}; // seconds after which the client may try again; empty: not sent
};

// What the client has to know to go on; members of the answer.
struct RefusalFacts {
    std::optional<uint64_t> events;    // events of a body that were published before the fault
    std::optional<uint64_t> epoch;     // the epoch that the producer has begun
    std::optional<uint64_t> expected;  // the number of the producer's next request
    std::optional<EventId> lastId;     // of the channel; zero: it has no event
    std::optional<RefusalPlace> place; // of the fault
    std::optional<uint64_t> kickedFor; // seconds for which a kick holds on this machine
    bool isUnknown = false;            // whether more has been published than `events` counts
};

// The answer to the client. None has no answer: status 0.
RefusalAnswer answerTo(Refusal refusal) noexcept;

inline RefusalGroup groupOf(Refusal refusal) noexcept {
    return answerTo(refusal).group;
}

} // namespace sse
