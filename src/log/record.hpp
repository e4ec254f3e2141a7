// The record: one event in the ring, a fixed header followed by the channel's name and the rendered event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "log/event_id.hpp"

namespace sse {

// Places in the ring are logical offsets: 64 bits, only growing, byte `offset % capacity` of the ring.
inline constexpr uint64_t kNoOffset = UINT64_MAX;
// The longest name of a channel.
inline constexpr size_t kMaxName = 255;
// How the payload starts: "id: <id>[~<the publisher's own>]\n".
inline constexpr std::string_view kIdField = "id: ";
// No entry of the channel index.
inline constexpr uint32_t kNoEntry = UINT32_MAX;

enum class RecordKind : uint16_t {
    Pad = 1,   // fills the end of the ring: a record never wraps
    Event = 2, // an event as SSE bytes
    End = 3,   // the end of a channel: its subscribers leave. An event that comes later begins it anew
};

struct RecordHeader {
    uint32_t length; // bytes from this header to the next one, a multiple of 8
    RecordKind kind;
    uint16_t nameLength;    // bytes of the channel's name, which follow this header
    uint32_t payloadLength; // bytes of the rendered event, which follow the name
    uint32_t entry;         // the channel's entry in the index, kNoEntry if the index had no room
    EventId id;
    EventId
        previousId; // what the channel's newest event was when this one came; may be evicted, never forgotten
    uint64_t previous;     // offset of that record, kNoOffset if it was not in the ring any more
    uint64_t next;         // offset of the channel's next record, kNoOffset until there is one
    uint64_t hash;         // of the channel's name
    uint64_t time;         // Unix milliseconds by the clock of the publisher
    uint64_t number;       // how many events came before it since the log was made
    uint16_t idLineLength; // bytes of the "id: …\n" line at the start of the payload
    uint16_t reserved[3];
};
static_assert(sizeof(RecordHeader) % 8 == 0);

} // namespace sse
