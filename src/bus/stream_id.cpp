#include "bus/stream_id.hpp"

#include <algorithm>

namespace sse {

EventId toEventId(StreamId id, uint64_t lineage) noexcept {
    return {id.milliseconds, id.sequence * kLineages + lineage};
}

StreamId toStreamId(EventId id) noexcept {
    return {id.milliseconds, id.sequence / kLineages};
}

StreamId idBefore(StreamId id) noexcept {
    if (id.sequence != 0) {
        return {id.milliseconds, std::min(id.sequence - 1, kMaxStreamSequence)};
    }
    return id.milliseconds != 0 ? StreamId{id.milliseconds - 1, kMaxStreamSequence} : StreamId{};
}

// Both kinds of ids are written in the same way.
size_t formatStreamId(StreamId id, char* out) noexcept {
    return formatEventId({id.milliseconds, id.sequence}, out);
}

std::optional<StreamId> parseStreamId(std::string_view text) noexcept {
    const std::optional<EventId> id = parseEventId(text);
    return id ? std::optional(StreamId{id->milliseconds, id->sequence}) : std::nullopt;
}

} // namespace sse
