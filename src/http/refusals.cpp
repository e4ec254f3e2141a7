#include "http/refusals.hpp"

namespace sse {

using Group = RefusalGroup;

RefusalAnswer answerTo(Refusal refusal) noexcept {
    switch (refusal) {
    case Refusal::None:
        break;

    case Refusal::MethodNotAllowed:
        return {405, Group::Request, "the method is not allowed here"};
    case Refusal::ForeignPage:
        return {403, Group::Origin, "pages of this origin may not do this here"};
    case Refusal::NoChannel:
        return {400, Group::Request, "no channel"};
    case Refusal::BadChannelName:
        return {400, Group::Request, "invalid channel name"};
    case Refusal::TooManyChannels:
        return {400, Group::Request, "too many channels"};
    case Refusal::UnknownChannel:
        return {404, Group::Request, "no such channel"};
    case Refusal::ChannelEnded:
        return {409, Group::Ended, "the channel has ended"};
    case Refusal::BadWait:
        return {400, Group::Request, "wait and subscribers must both be whole numbers"};
    case Refusal::BadWaitTime:
        return {400, Group::Request, "wait must be a number of seconds, at most 60"};
    case Refusal::WaitCutByDrain:
        return {503, Group::Drain, "nginx is shutting down or reloading, try again", "1"};
    case Refusal::ListNotAllowed:
        return {403, Group::Forbidden, "sse_list does not permit listing channels here"};
    case Refusal::BadListLimit:
        return {400, Group::Request, "limit must be a number of channels, at most 1000"};
    case Refusal::BadListCursor:
        return {400, Group::Request, "invalid cursor"};
    case Refusal::ListCursorGone:
        return {410, Group::Request, "the cursor belongs to another zone, list from the beginning"};
    case Refusal::BadTop:
        return {400, Group::Request, "top must be a number of channels, at most 100"};
    case Refusal::BadStart:
        return {400, Group::Request, "invalid start"};
    case Refusal::Expired:
        return {403, Group::Expired, "the access has expired"};
    case Refusal::EventsGone:
        return {410, Group::Gap, "events after this id are gone"};
    case Refusal::IndexFull:
        return {503, Group::Full, "no room for another channel", "10"};
    case Refusal::NotFilled:
        return {503, Group::Bus, "the zone does not have all events yet, try again", "1"};
    case Refusal::Kicked:
        return {403, Group::Kicked, "kicked"};
    case Refusal::TooManyInZone:
        return {503, Group::Limit, "too many subscribers", "10"};
    case Refusal::TooManyOnChannel:
        return {503, Group::Limit, "too many subscribers of the channel", "10"};
    case Refusal::TooManyOfKey:
        return {429, Group::Limit, "too many streams of this subscriber", "10"};
    case Refusal::KeysFull:
        return {503, Group::Full, "no room for another key", "10"};

    case Refusal::NobodyToKick:
        return {400, Group::Request, "a kick needs a key or a channel"};
    case Refusal::BadKickTime:
        return {400, Group::Request, "invalid time for a kick"};
    case Refusal::KicksFull:
        return {503, Group::Full, "no room for another kick", "10"};
    case Refusal::KickedHere:
        return {503, Group::Bus, "kicked on this machine only, the others cannot be reached", "1"};

    case Refusal::EncodedBody:
        return {415, Group::Request, "the body has a Content-Encoding"};
    case Refusal::MultipartBody:
        return {415, Group::Request, "the body is multipart/form-data"};
    case Refusal::BodyNotKept:
        return {400, Group::Request, "the body of the request has not been kept"};
    case Refusal::BodyUnreadable:
        return {500, Group::Error, "the body of the request cannot be read"};
    case Refusal::BodyTooLarge:
        return {413, Group::Size, "the body is larger than client_max_body_size"};
    case Refusal::MalformedBody:
        return {400, Group::Request, "the body of the request is malformed"};
    case Refusal::BodyPaused:
        return {408, Group::Timeout, "the body has paused for too long"};
    case Refusal::BodyCutByDrain:
        return {503, Group::Drain, "nginx is shutting down or reloading and has not read all of the body"};
    case Refusal::ClientMemory:
        return {429, Group::Limit, "incomplete events of this client take too much memory"};

    case Refusal::BadType:
        return {400, Group::Event, "invalid event type"};
    case Refusal::ReservedType:
        return {400, Group::Event, "reserved event type"};
    case Refusal::BadPublisherId:
        return {400, Group::Event, "invalid event id"};
    case Refusal::PublisherIdForMany:
        return {400, Group::Request, "an event id can be set only for a body of one event"};
    case Refusal::BadRetry:
        return {400, Group::Event, "invalid retry"};
    case Refusal::BadEncoding:
        return {400, Group::Event, "unknown encoding"};
    case Refusal::EncodingForMany:
        return {400, Group::Request, "an encoding can be set only for a body that is one event as it stands"};
    case Refusal::BadUtf8:
        return {400, Group::Event, "invalid UTF-8"};
    case Refusal::IncompleteEvent:
        return {400, Group::Event, "the body ends inside an event"};
    case Refusal::EventTooLarge:
        return {413, Group::Size, "the event is too large"};
    case Refusal::TooManyEvents:
        return {413, Group::Size, "more events than sse_max_events allows"};
    case Refusal::BatchTooLarge:
        return {413, Group::Size, "the events are too many or too large to be published as a whole"};

    case Refusal::BadIdempotencyKey:
        return {400, Group::Request, "invalid Idempotency-Key"};
    case Refusal::BadProducer:
        return {400, Group::Request, "invalid Producer-Id, Producer-Epoch or Producer-Seq"};
    case Refusal::KeyAndProducer:
        return {400, Group::Request, "Idempotency-Key and Producer-Id cannot be combined"};
    case Refusal::NoEvents:
        return {400, Group::Event, "a request with a precondition must publish at least one event"};
    case Refusal::BadEntityTags:
        return {400, Group::Request, "invalid If-Match or If-None-Match"};
    case Refusal::LengthRequired:
        return {411, Group::Request, "a body that is published as a whole needs a Content-Length"};
    case Refusal::StaleEpoch:
        return {403, Group::Precondition, "the producer has begun a newer epoch"};
    case Refusal::OutOfSequence:
        return {409, Group::Precondition, "an earlier request of the producer is missing"};
    case Refusal::Unmatched:
        return {412, Group::Precondition, "the channel is at another event"};

    case Refusal::BadJson:
        return {400, Group::Event, "invalid JSON"};
    case Refusal::TooDeepJson:
        return {400, Group::Event, "the JSON is nested too deeply"};
    case Refusal::NotEnvelope:
        return {400, Group::Event, "neither an envelope nor an array of envelopes"};
    case Refusal::UnknownField:
        return {400, Group::Event, "unknown field"};
    case Refusal::DuplicateField:
        return {400, Group::Event, "duplicate field"};
    case Refusal::NoData:
        return {400, Group::Event, "no data"};
    case Refusal::BadEnd:
        return {400, Group::Event, "invalid end"};
    case Refusal::EndNotAllowed:
        return {403, Group::Forbidden, "a body may not end channels here"};
    case Refusal::ChannelsNotAllowed:
        return {403, Group::Forbidden, "a body may not name channels here"};
    case Refusal::ForeignChannel:
        return {403, Group::Forbidden, "this channel is not allowed here"};
    case Refusal::ChannelsInBatch:
        return {400, Group::Event, "a body that is published as a whole may not name channels"};
    case Refusal::TooLargeForChannels:
        return {413, Group::Size, "the event is too large for so many channels"};

    case Refusal::NoMemory:
        return {500, Group::Error, "out of memory"};
    case Refusal::Retired:
        return {503, Group::Locked, "nginx has a new zone, try again"};
    case Refusal::Locked:
        return {503, Group::Locked, "the zone is locked, try again", "1"};

    case Refusal::NotWithBus:
        return {501, Group::Precondition, "If-Match and If-None-Match do not work with a bus"};
    case Refusal::BusAway:
        return {503, Group::Bus, "Redis cannot be reached", "1"};
    case Refusal::BusRefuses:
        return {503, Group::Bus, "Redis refuses to store events", "1"};
    case Refusal::OutcomeUnknown:
        return {503, Group::Bus, "it is not known whether Redis has stored the events", "1"};
    }
    return {0, Group::Request, {}};
}

} // namespace sse
