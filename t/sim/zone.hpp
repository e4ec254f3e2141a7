// A log with its lock, and the truth about it: which events it must hold, and which workers listen.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "check.hpp"
#include "life.hpp"
#include "listeners.hpp"
#include "scheduler.hpp"

namespace sse::sim {

struct World;

// How a log is made. A log that takes over has a birth of its own, which does not show.
struct Shape {
    uint32_t entries;
    size_t capacity;
    EventId birth;
};

class Zone {
public:
    Zone(const World& world, std::shared_ptr<Life> owner, const Shape& shape);
    ~Zone();
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;

    LogWriter& log() { return memory_.log; }
    const LogHeader& header() const { return memory_.header(); }
    const IndexEntry& entry(uint32_t number) const { return memory_.entries()[number]; }

    // --- For the holder of the lock ---

    // Announces what the holder is about to append: events of one channel, all of them or none.
    void announce(std::vector<Event> events);
    // Announces that the holder is about to append a break, or to begin a life.
    void announceBreak(EventId id) {
        announcedBreak_ = id;
        hasHappened_ = false;
    }
    void announceLife(std::shared_ptr<Life> next) { announcedLife_ = std::move(next); }
    // All that was announced has happened.
    void settleAll();
    // Takes the answer of the log to that.
    void settle(const Appended& appended);
    // Compares the whole log with the truth; no process is in the middle of a change.
    void check();

    // --- For any process ---

    // An event exists as soon as the head has moved, whatever becomes of its writer.
    void observe();
    // How many events there are; the life may have more, in another log that has taken over from this one.
    uint64_t published() const { return published_; }
    EventId lastId() const;
    // The breaks of the life that it has got.
    size_t breaks() const { return breaks_; }
    // The number of the oldest event in the ring.
    uint64_t evicted() const;
    uint64_t tail() const { return memory_.header().tail; }
    bool isUnknown(EventId cursor, EventId lastId) const;
    bool isExact(uint32_t channel) const { return exact_[channel]; }
    bool isDropped(uint64_t number) const { return dropped_.count(number) != 0; }
    bool isRetained(uint64_t number) const { return number >= evicted() && !isDropped(number); }

    // This one has just taken over from `old`, without a step in between.
    void inherit(const Zone& old);

    std::shared_ptr<Life> life;       // changes when another one begins
    std::shared_ptr<Life> lifeBefore; // of whose ids some may still be read for a moment
    uint64_t holder = 0;              // the process that has the lock
    Listeners listeners;

private:
    uint64_t lengthOf(const Event& event) const;
    bool fits(const std::vector<Event>& events) const;
    void checkEvents() const;
    void checkRoom() const;
    void checkListeners();
    bool observeLife();
    void observeRecord(const RecordHeader& record, std::vector<Event>::iterator& event);

    const World& world_;
    TestLog memory_;
    std::vector<Event> announced_;
    bool hasHappened_ = false; // what was announced
    std::optional<EventId> announcedBreak_;
    std::shared_ptr<Life> announcedLife_;
    bool hasJumped_ = false; // the head, or is about to: a life has begun
    size_t breaks_ = 0;
    uint64_t published_ = 0;
    uint64_t head_ = 0; // when it was last observed
    uint64_t tail_ = 0;
    uint64_t firstNumber_ = 0;   // older events were no longer there when this one took over
    std::vector<bool> exact_;    // channels of which nothing is ever forgotten for want of room in an index
    std::set<uint64_t> dropped_; // events that were too large for a log that took over
};

// The lock, as src/zone_lock.hpp has it: it is taken from a holder that is dead.
class Lock {
public:
    Lock(World& world, Zone& zone);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    Zone& zone_;
};

} // namespace sse::sim
