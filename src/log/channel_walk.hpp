// Walking through all channels of a log, a part at a time.
//
// The order is that of the hashes of their names, read from the lowest bit on. So all channels of a bucket
// follow each other, whatever the size of the index, and the place of a channel depends on nothing but its
// name and the key of the log: a walk may pause for as long as it likes, between any two channels, while
// others come and go, are forgotten and come back, or while another log with the same key takes over. A
// channel that is there all the time is met once, and none is met twice.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "log/log.hpp"
#include "sse/event.hpp"

namespace sse {

// The place of a channel in the walk.
uint64_t walkPlace(uint64_t hash) noexcept;

struct WalkedChannel {
    uint64_t place;
    ChannelState state;
};

// What LogWriter::walk() has found.
struct WalkedPart {
    std::span<const WalkedChannel> channels; // in the order of the walk, in the caller's array
    std::optional<uint64_t> next;            // where to go on; nothing: that was all
};

// What the ring knows of a channel. Its name is nowhere else: one that is only listened to has none.
struct ChannelSummary {
    char name[kMaxChannelName];
    uint8_t nameLength = 0;
    bool hasEnded = false;
    uint64_t time = 0;       // of the newest record, an event or an end, in Unix milliseconds
    uint32_t mostEvents = 0; // that there can be in the ring, see Log::retainedEvents()
    EventId newestId;        // of the newest event, which may not be in the ring any more

    std::string_view nameView() const noexcept { return {name, nameLength}; }
};

} // namespace sse
