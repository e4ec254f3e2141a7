// One seed: the processes, their logs, the clock, and the clients that move between the processes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "life.hpp"
#include "scheduler.hpp"
#include "zone.hpp"

namespace sse::sim {

// Totals of all seeds, to check that the runs exercised everything.
struct Figures {
    uint64_t events = 0;
    uint64_t deaths = 0;
    uint64_t resizes = 0;
    uint64_t lives = 0;
    uint64_t replays = 0;
    uint64_t gaps = 0;
    uint64_t laps = 0;
    uint64_t breaks = 0;
};

inline Figures figures;

struct World {
    explicit World(uint64_t seed);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void run();

    std::string_view name(uint32_t channel) const { return names[channel]; }
    size_t group(uint32_t channel) const { return channel % groups; }
    uint64_t hash(uint32_t channel) const { return (1 + group(channel)) * 0x9e3779b97f4a7c15; }

    EventId drawCursor();
    std::shared_ptr<Life> beginLife();
    std::shared_ptr<Zone> makeZone(std::shared_ptr<Life> life);
    // From now on new clients get this one.
    void use(std::shared_ptr<Zone> next);
    uint64_t ticket() { return ++tickets; }

    Random random;
    uint32_t channels;
    uint32_t groups; // of channels with the same hash
    uint64_t longest;
    uint64_t now = kBirth;
    uint64_t tickets = 0;
    uint64_t goal; // events of all lives
    uint64_t published = 0;
    std::vector<std::string> names;
    std::shared_ptr<Zone> zone;
    std::vector<EventId> cursors;    // of clients that have lost their connection
    std::vector<bool> slots;         // of listeners, that are taken
    std::vector<uint32_t> deadSlots; // and not yet forgotten

private:
    void onSwitch();
    // Time goes on, stands still, or jumps either way.
    void tick();
    void put(size_t place);
    void bury(size_t place);
    void checkAtLast();
    void checkCounts();
    void readAll(EventId cursor);

    uint64_t lives_ = 0;
    std::vector<std::weak_ptr<Zone>> zones_; // that somebody may still use
};

} // namespace sse::sim
