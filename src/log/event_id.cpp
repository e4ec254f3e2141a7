#include "log/event_id.hpp"

#include <algorithm>
#include <charconv>

namespace sse {

size_t formatEventId(EventId id, char* out) noexcept {
    char* const end = out + kMaxEventIdText;
    char* p = std::to_chars(out, end, id.milliseconds).ptr;
    *p++ = '-';
    p = std::to_chars(p, end, id.sequence).ptr;
    return static_cast<size_t>(p - out);
}

std::optional<EventId> parseEventId(std::string_view text) noexcept {
    const char* const end = text.data() + text.size();
    EventId id;

    // For unsigned numbers from_chars takes digits only: no sign, no space.
    const auto milliseconds = std::from_chars(text.data(), end, id.milliseconds);
    if (milliseconds.ec != std::errc{} || milliseconds.ptr == end || *milliseconds.ptr != '-') {
        return std::nullopt;
    }
    const auto sequence = std::from_chars(milliseconds.ptr + 1, end, id.sequence);
    if (sequence.ec != std::errc{} || sequence.ptr != end) {
        return std::nullopt;
    }
    return id;
}

bool isOfLineage(EventId id, uint64_t lineage) noexcept {
    return id.sequence == 0 || id.sequence % kLineages == lineage;
}

EventId nextEventId(EventId last, uint64_t nowMilliseconds, uint64_t lineage) noexcept {
    if (nowMilliseconds > last.milliseconds) {
        return {nowMilliseconds, lineage};
    }
    if (last.sequence > UINT64_MAX - kLineages) {
        return {last.milliseconds + 1, lineage};
    }
    return {last.milliseconds, last.sequence + kLineages};
}

} // namespace sse
