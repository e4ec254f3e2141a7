// Every refusal of the module, each once: the status and the text of the answer.
//
// Includes no header of nginx, so that code without nginx (publish/intake) can say why it refuses.
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
    NotFilled, // the zone does not have yet what the stream has that it copies
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
    BusAway,        // Redis is not to be had
    BusRefuses,     // Redis has answered with an error: no memory, no disk, too few replicas, …
    OutcomeUnknown, // nobody knows whether Redis has the events
};

// Where in a body the fault is.
struct RefusalPlace {
    std::optional<std::string_view> field = std::nullopt;
    std::optional<uint64_t> envelope = std::nullopt; // how many precede it
    uint64_t at = 0;                                 // bytes that precede it
};

// How a refusal is answered. The texts are plain ASCII and live as long as the program.
struct RefusalAnswer {
    uint16_t status;
    std::string_view reason;
    std::string_view retryAfter = {}; // seconds after which the client may try again; empty: not sent
};

// What the client has to know to go on; members of the answer.
struct RefusalFacts {
    std::optional<uint64_t> events;    // of a body, that were published before the fault
    std::optional<uint64_t> epoch;     // that the producer has begun
    std::optional<uint64_t> expected;  // the number of the producer's next request
    std::optional<EventId> lastId;     // of the channel; zero: it has no event
    std::optional<RefusalPlace> place; // of the fault
    std::optional<uint64_t> kickedFor; // seconds for which a kick holds on this machine
    bool isUnknown = false;            // whether more has been published than `events` counts
};

// The answer to the client. None has no answer: status 0.
constexpr RefusalAnswer answerTo(Refusal refusal) noexcept {
    switch (refusal) {
    case Refusal::None:
        break;

    case Refusal::MethodNotAllowed:
        return {405, "the method is not allowed here"};
    case Refusal::ForeignPage:
        return {403, "pages of this origin may not do this here"};
    case Refusal::NoChannel:
        return {400, "no channel"};
    case Refusal::BadChannelName:
        return {400, "invalid channel name"};
    case Refusal::TooManyChannels:
        return {400, "too many channels"};
    case Refusal::UnknownChannel:
        return {404, "no such channel"};
    case Refusal::ChannelEnded:
        return {409, "the channel has ended"};
    case Refusal::BadWait:
        return {400, "wait and subscribers are two whole numbers"};
    case Refusal::BadWaitTime:
        return {400, "wait is a number of seconds, 60 at most"};
    case Refusal::WaitCutByDrain:
        return {503, "nginx is leaving, ask again", "1"};
    case Refusal::ListNotAllowed:
        return {403, "sse_list does not permit listing channels here"};
    case Refusal::BadListLimit:
        return {400, "limit is a number of channels, 1000 at most"};
    case Refusal::BadListCursor:
        return {400, "invalid cursor"};
    case Refusal::ListCursorGone:
        return {410, "the cursor belongs to another zone, list from the beginning"};
    case Refusal::BadTop:
        return {400, "top is a number of channels, 100 at most"};
    case Refusal::BadStart:
        return {400, "invalid start"};
    case Refusal::Expired:
        return {403, "the access has expired"};
    case Refusal::EventsGone:
        return {410, "events after this id are gone"};
    case Refusal::IndexFull:
        return {503, "no room for another channel", "10"};
    case Refusal::NotFilled:
        return {503, "the zone does not have all events yet, come again", "1"};
    case Refusal::Kicked:
        return {403, "kicked"};
    case Refusal::TooManyInZone:
        return {503, "too many subscribers", "10"};
    case Refusal::TooManyOnChannel:
        return {503, "too many subscribers of the channel", "10"};
    case Refusal::TooManyOfKey:
        return {429, "too many streams of this subscriber", "10"};
    case Refusal::KeysFull:
        return {503, "no room for another key", "10"};

    case Refusal::NobodyToKick:
        return {400, "neither a key nor a channel"};
    case Refusal::BadKickTime:
        return {400, "no valid time for which the kick holds"};
    case Refusal::KicksFull:
        return {503, "no room for another kick", "10"};
    case Refusal::KickedHere:
        return {503, "kicked on this machine only, the others cannot be reached", "1"};

    case Refusal::EncodedBody:
        return {415, "the body has a Content-Encoding"};
    case Refusal::MultipartBody:
        return {415, "the body is a multipart/form-data"};
    case Refusal::BodyNotKept:
        return {400, "the body of the request has not been kept"};
    case Refusal::BodyUnreadable:
        return {500, "the body of the request cannot be read"};
    case Refusal::BodyTooLarge:
        return {413, "the body is larger than client_max_body_size"};
    case Refusal::MalformedBody:
        return {400, "the body of the request is malformed"};
    case Refusal::BodyPaused:
        return {408, "the body has paused for too long"};
    case Refusal::BodyCutByDrain:
        return {503, "nginx is leaving and has not read all of the body"};
    case Refusal::ClientMemory:
        return {429, "incomplete events of this client take too much memory"};

    case Refusal::BadType:
        return {400, "invalid event type"};
    case Refusal::ReservedType:
        return {400, "reserved event type"};
    case Refusal::BadPublisherId:
        return {400, "invalid event id"};
    case Refusal::PublisherIdForMany:
        return {400, "one event id for a body of many events"};
    case Refusal::BadRetry:
        return {400, "invalid retry"};
    case Refusal::BadEncoding:
        return {400, "unknown encoding"};
    case Refusal::EncodingForMany:
        return {400, "an encoding for a body that is not one event as it stands"};
    case Refusal::BadUtf8:
        return {400, "invalid UTF-8"};
    case Refusal::IncompleteEvent:
        return {400, "the body ends inside an event"};
    case Refusal::EventTooLarge:
        return {413, "the event is too large"};
    case Refusal::TooManyEvents:
        return {413, "more events than sse_max_events allows"};
    case Refusal::BatchTooLarge:
        return {413, "the events are too many or too large to be published as a whole"};

    case Refusal::BadIdempotencyKey:
        return {400, "invalid Idempotency-Key"};
    case Refusal::BadProducer:
        return {400, "invalid Producer-Id, Producer-Epoch or Producer-Seq"};
    case Refusal::KeyAndProducer:
        return {400, "an Idempotency-Key and a Producer-Id"};
    case Refusal::NoEvents:
        return {400, "a body without events has a precondition"};
    case Refusal::BadEntityTags:
        return {400, "invalid If-Match or If-None-Match"};
    case Refusal::LengthRequired:
        return {411, "many events that are published as a whole need a Content-Length"};
    case Refusal::StaleEpoch:
        return {403, "the producer has begun a newer epoch"};
    case Refusal::OutOfSequence:
        return {409, "an earlier request of the producer is missing"};
    case Refusal::Unmatched:
        return {412, "the channel is at another event"};

    case Refusal::BadJson:
        return {400, "invalid JSON"};
    case Refusal::TooDeepJson:
        return {400, "the JSON is nested too deeply"};
    case Refusal::NotEnvelope:
        return {400, "neither an envelope nor an array of envelopes"};
    case Refusal::UnknownField:
        return {400, "unknown field"};
    case Refusal::DuplicateField:
        return {400, "duplicate field"};
    case Refusal::NoData:
        return {400, "no data"};
    case Refusal::BadEnd:
        return {400, "invalid end"};
    case Refusal::EndNotAllowed:
        return {403, "a body may not end channels here"};
    case Refusal::ChannelsNotAllowed:
        return {403, "a body may not name channels here"};
    case Refusal::ForeignChannel:
        return {403, "this channel is not allowed here"};
    case Refusal::ChannelsInBatch:
        return {400, "a body that is published as a whole may not name channels"};
    case Refusal::TooLargeForChannels:
        return {413, "the event is too large for so many channels"};

    case Refusal::NoMemory:
        return {500, "out of memory"};
    case Refusal::Retired:
        return {503, "nginx has a new zone, come again"};
    case Refusal::Locked:
        return {503, "the zone is locked, come again", "1"};

    case Refusal::NotWithBus:
        return {501, "If-Match and If-None-Match do not work with a bus"};
    case Refusal::BusAway:
        return {503, "Redis cannot be reached", "1"};
    case Refusal::BusRefuses:
        return {503, "Redis refuses to store events", "1"};
    case Refusal::OutcomeUnknown:
        return {503, "it is not known whether Redis has stored the events", "1"};
    }
    return {0, {}};
}

// As what it is counted. None is counted by nobody.
constexpr RefusalGroup groupOf(Refusal refusal) noexcept {
    switch (refusal) {
    case Refusal::None:
    case Refusal::MethodNotAllowed:
    case Refusal::NoChannel:
    case Refusal::BadChannelName:
    case Refusal::TooManyChannels:
    case Refusal::UnknownChannel:
    case Refusal::BadWait:
    case Refusal::BadWaitTime:
    case Refusal::BadListLimit:
    case Refusal::BadListCursor:
    case Refusal::ListCursorGone:
    case Refusal::BadTop:
    case Refusal::BadStart:
    case Refusal::NobodyToKick:
    case Refusal::BadKickTime:
    case Refusal::EncodedBody:
    case Refusal::MultipartBody:
    case Refusal::BodyNotKept:
    case Refusal::MalformedBody:
    case Refusal::PublisherIdForMany:
    case Refusal::EncodingForMany:
    case Refusal::LengthRequired:
    case Refusal::BadIdempotencyKey:
    case Refusal::BadProducer:
    case Refusal::KeyAndProducer:
    case Refusal::BadEntityTags:
        break;

    case Refusal::ForeignPage:
        return RefusalGroup::Origin;
    case Refusal::EndNotAllowed:
    case Refusal::ChannelsNotAllowed:
    case Refusal::ForeignChannel:
    case Refusal::ListNotAllowed:
        return RefusalGroup::Forbidden;

    case Refusal::BadType:
    case Refusal::ReservedType:
    case Refusal::BadPublisherId:
    case Refusal::BadRetry:
    case Refusal::BadEncoding:
    case Refusal::BadUtf8:
    case Refusal::IncompleteEvent:
    case Refusal::NoEvents:
    case Refusal::BadJson:
    case Refusal::TooDeepJson:
    case Refusal::NotEnvelope:
    case Refusal::UnknownField:
    case Refusal::DuplicateField:
    case Refusal::NoData:
    case Refusal::BadEnd:
    case Refusal::ChannelsInBatch:
        return RefusalGroup::Event;

    case Refusal::BodyTooLarge:
    case Refusal::EventTooLarge:
    case Refusal::TooManyEvents:
    case Refusal::BatchTooLarge:
    case Refusal::TooLargeForChannels:
        return RefusalGroup::Size;
    case Refusal::BodyPaused:
        return RefusalGroup::Timeout;

    case Refusal::StaleEpoch:
    case Refusal::OutOfSequence:
    case Refusal::Unmatched:
    case Refusal::NotWithBus:
        return RefusalGroup::Precondition;

    case Refusal::ChannelEnded:
        return RefusalGroup::Ended;
    case Refusal::EventsGone:
        return RefusalGroup::Gap;
    case Refusal::Expired:
        return RefusalGroup::Expired;
    case Refusal::Kicked:
        return RefusalGroup::Kicked;

    case Refusal::TooManyInZone:
    case Refusal::TooManyOnChannel:
    case Refusal::TooManyOfKey:
    case Refusal::ClientMemory:
        return RefusalGroup::Limit;
    case Refusal::IndexFull:
    case Refusal::KeysFull:
    case Refusal::KicksFull:
        return RefusalGroup::Full;

    case Refusal::Retired:
    case Refusal::Locked:
        return RefusalGroup::Locked;
    case Refusal::WaitCutByDrain:
    case Refusal::BodyCutByDrain:
        return RefusalGroup::Drain;

    case Refusal::NotFilled:
    case Refusal::KickedHere:
    case Refusal::BusAway:
    case Refusal::BusRefuses:
    case Refusal::OutcomeUnknown:
        return RefusalGroup::Bus;

    case Refusal::BodyUnreadable:
    case Refusal::NoMemory:
        return RefusalGroup::Error;
    }
    return RefusalGroup::Request;
}

} // namespace sse
