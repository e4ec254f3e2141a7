// Ids of the entries of a Redis Stream, "<milliseconds>-<sequence>", and the ids of the log that they become.
//
// Redis issues the ids, so every machine that tails the stream shows the same ones.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "log/event_id.hpp"

namespace sse {

struct StreamId {
    uint64_t milliseconds = 0;
    uint64_t sequence = 0;

    auto operator<=>(const StreamId&) const = default;
};

// The greatest sequence that fits an id of the log, which has the lineage in its lowest bits.
inline constexpr uint64_t kMaxStreamSequence = UINT64_MAX / kLineages;

inline bool fitsEventId(StreamId id) noexcept {
    return id.sequence <= kMaxStreamSequence;
}

// The id of an entry in logs of that lineage. The entry's id must fit.
EventId toEventId(StreamId id, uint64_t lineage) noexcept;

// The id of the entry that an id of the log was made from.
StreamId toStreamId(EventId id) noexcept;

// The greatest id that is less than `id` and fits an id of the log; for 0-0 it is 0-0.
StreamId idBefore(StreamId id) noexcept;

inline constexpr size_t kMaxStreamIdText = kMaxEventIdText;

// Writes the text of an id to `out`, which has room for kMaxStreamIdText bytes; returns its length.
size_t formatStreamId(StreamId id, char* out) noexcept;

// The text of an id, for as long as the object lives.
class StreamIdText {
public:
    explicit StreamIdText(StreamId id) noexcept : length_(formatStreamId(id, text_)) {}
    std::string_view view() const noexcept { return {text_, length_}; }

private:
    char text_[kMaxStreamIdText];
    size_t length_;
};

// Reads "<digits>-<digits>", as Redis writes ids, and nothing else; a text with numbers that do not fit 64
// bits is not an id.
std::optional<StreamId> parseStreamId(std::string_view text) noexcept;

} // namespace sse
