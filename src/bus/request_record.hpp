// What Redis remembers of a request that was published as a whole, and answers when the request comes again.
#pragma once

#include <cstdint>

#include "bus/stream_id.hpp"
#include "sse/publisher_id.hpp"

namespace sse {

struct RequestRecord {
    enum class Kind : uint8_t {
        None,          // no answer yet, or one that cannot be read
        Published,     // its events are in the stream now
        Nothing,       // it had no events, and may come
        Repeated,      // it has been here
        StaleEpoch,    // the producer has begun a newer epoch
        OutOfSequence, // an earlier request of the producer has not been here
        Newest,        // it only asks for the newest entry
    };

    Kind kind = Kind::None;
    // Published, Repeated: of its last event; zero: not known any more. Newest: of that entry; zero: none.
    StreamId id{};
    PublisherId publisherId{}; // Repeated: of that event
    bool ended = false;        // Repeated: the channel has ended with it
    uint64_t number = 0; // StaleEpoch: the epoch that counts. OutOfSequence: the number that is expected
};

} // namespace sse
