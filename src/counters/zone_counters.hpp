// The counters of a zone, in shared memory of their own, which survives a reload and a change of the zone's
// size. There is a place for each entry of the roster, so no two living workers share one.
#pragma once

#include <span>

#include "counters/counts.hpp"
#include "roster/roster.hpp"
#include "zone.hpp"

namespace sse {

// The name of that memory begins with this, and the zone's name follows.
inline constexpr std::string_view kCounterMemory = "sse_counters:";

struct CounterMemory {
    std::atomic<uint32_t> used; // places before it have been used; the contents of others mean nothing
    ZoneCounters places[RosterMemory::kCapacity];
};

// While the configuration is read: asks nginx for the memory. Until a worker has a place, what it counts in
// the zone is kept for that place. false after an error.
bool addCounters(ngx_conf_t* cf, Zone& zone) noexcept;

// In a worker that has just got that entry of the roster, with the roster's lock: counts there from now on.
void countAt(Zone& zone, uint32_t place) noexcept;

// The places that have been used, of a zone that nginx has initialised.
inline std::span<const ZoneCounters> placesOf(const Zone& zone) noexcept {
    return {zone.counterMemory->places, zone.counterMemory->used.load(std::memory_order_acquire)};
}

} // namespace sse
