// What a request demands of a channel before anything is published: that the same request has not been here,
// that it is the next one of its producer, or that the channel is where the publisher believes it to be. All
// of it is checked under the hold of the zone's lock under which the events are appended.
#pragma once

#include <optional>
#include <string_view>

#include "log/writer.hpp"
#include "sse/entity_tags.hpp"

namespace sse {

struct Preconditions {
    Stamp stamp;                           // of Idempotency-Key or Producer-Id; empty: none
    std::optional<EntityTags> ifMatch;     // the newest event is one of these
    std::optional<EntityTags> ifNoneMatch; // and none of these

    bool empty() const noexcept { return stamp.empty() && !ifMatch && !ifNoneMatch; }
};

// What the log answers to that.
struct Verdict {
    enum class Kind {
        Holds,
        Repeated,      // the request has been here
        StaleEpoch,    // the producer has begun a newer epoch
        OutOfSequence, // an earlier request of the producer has not been here
        Unmatched,     // the channel is at another event
    };

    Kind kind = Kind::Holds;
    EventId id{}; // Repeated: of the event it has brought. Unmatched: the newest. Zero: not known, or none
    PublisherId publisherId{}; // Repeated: of that event
    bool ended = false;        // Repeated: the channel has ended with it
    uint64_t number = 0; // StaleEpoch: the epoch that counts. OutOfSequence: the number that is expected

    bool isRepeated() const noexcept { return kind == Kind::Repeated; }
};

// Of a channel with that name and hash.
Verdict checkPreconditions(LogWriter& log, std::string_view channel, uint64_t hash,
                           const Preconditions& preconditions) noexcept;

} // namespace sse
