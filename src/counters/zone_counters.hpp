// The counters of a zone in shared memory of their own, which survives a reload and another size of the
// zone: a place for each entry of the roster, so that of any two living workers each has its own.
#pragma once

#include <span>

#include "counters/counts.hpp"
#include "roster/roster.hpp"
#include "zone.hpp"

namespace sse {

// Begins the name of that memory; the rest is the zone's.
inline constexpr std::string_view kCounterMemory = "sse_counters:";

struct CounterMemory {
    std::atomic<uint32_t> used; // places before it have been used; what others contain means nothing
    ZoneCounters places[RosterMemory::kCapacity];
};

// While the configuration is read: asks nginx for the memory. Until a worker has a place, what is counted in
// the zone is kept for it. false after an error.
bool addCounters(ngx_conf_t* cf, Zone& zone) noexcept;

// In a worker that has come to that entry of the roster, with the roster's lock: counts there from now on.
void countAt(Zone& zone, uint32_t place) noexcept;

// The places that have been used, of a zone that nginx has initialised.
inline std::span<const ZoneCounters> placesOf(const Zone& zone) noexcept {
    return {zone.counterMemory->places, zone.counterMemory->used.load(std::memory_order_acquire)};
}

} // namespace sse
