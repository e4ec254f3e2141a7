// The truth about the events of one life of the log: all there ever were, whatever logs they went through.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "test_log.hpp"

namespace sse::sim {

struct Event {
    EventId id;
    uint32_t channel;
    uint64_t time;
    bool end = false;  // of the channel, and no event
    bool last = false; // the channel ends with this event
    std::string publisherId{};
    std::string payload{};
};

struct Life {
    uint64_t lineage;
    EventId birth;
    bool beganWithLoss = false;
    std::vector<Event> events{}; // by number

    EventId lastId() const { return events.empty() ? birth : events.back().id; }

    EventId nextId(uint64_t now) const { return nextId(now, lastId()); }
    EventId nextId(uint64_t now, EventId last) const {
        return now > last.milliseconds ? EventId{now, lineage}
                                       : EventId{last.milliseconds, last.sequence + kLineages};
    }

    // The number of the first event that is newer.
    uint64_t after(EventId id) const {
        const auto newer = std::upper_bound(events.begin(), events.end(), id,
                                            [](EventId a, const Event& event) { return a < event.id; });
        return static_cast<uint64_t>(newer - events.begin());
    }

    bool hasIssued(EventId id) const {
        const uint64_t next = after(id);
        return id == birth || (next != 0 && events[next - 1].id == id);
    }
};

} // namespace sse::sim
