// The truth about the events of one life of the log: all events that ever existed, in whichever logs they
// were.
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
    bool end = false;     // of the channel, without an event
    bool last = false;    // the channel ends with this event
    bool isGiven = false; // the appending process sets the id
    std::string publisherId{};
    std::string payload{};
};

struct Cut {
    EventId id;
    uint64_t number; // of the first event after it
};

struct Life {
    uint64_t lineage;
    EventId birth;
    bool beganWithLoss = false;
    uint64_t first = 0; // the number of its first event
    std::vector<Event> events{};
    std::vector<Cut> breaks{};

    const Event& at(uint64_t number) const { return events[number - first]; }
    // The number of the next event.
    uint64_t end() const { return first + events.size(); }

    // Of the newest record, when there were so many events and breaks.
    EventId lastId(uint64_t number, size_t cuts) const {
        return std::max(number == first ? birth : at(number - 1).id, cuts == 0 ? birth : breaks[cuts - 1].id);
    }
    EventId lastId() const { return lastId(end(), breaks.size()); }

    EventId nextId(uint64_t now) const { return nextId(now, lastId()); }
    EventId nextId(uint64_t now, EventId last) const {
        return now > last.milliseconds ? EventId{now, lineage}
                                       : EventId{last.milliseconds, last.sequence + kLineages};
    }

    // The number of the first event that is newer.
    uint64_t after(EventId id) const {
        const auto newer = std::upper_bound(events.begin(), events.end(), id,
                                            [](EventId a, const Event& event) { return a < event.id; });
        return first + static_cast<uint64_t>(newer - events.begin());
    }

    bool hasIssued(EventId id) const {
        const uint64_t next = after(id);
        return id == birth || (next != first && at(next - 1).id == id) ||
               std::any_of(breaks.begin(), breaks.end(), [id](const Cut& cut) { return cut.id == id; });
    }
};

} // namespace sse::sim
