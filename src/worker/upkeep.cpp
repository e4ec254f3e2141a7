#include "worker/upkeep.hpp"

#include <algorithm>
#include <span>

#include "zone_lock.hpp"

namespace sse {

namespace {

// Index entries searched in one go with the zone's lock held.
constexpr uint32_t kSweep = 4096;

std::span<Zone* const> zonesOf(const MainConfig& config) noexcept {
    return {static_cast<Zone* const*>(config.zones.elts), config.zones.nelts};
}

// Clears a listener id from the zones' indexes.
bool forget(const MainConfig& config, uint32_t listenerId) noexcept {
    for (Zone* zone : zonesOf(config)) {
        bool more = true;
        for (uint32_t from = 0; more; from += kSweep) {
            std::optional<ZoneLock> lock = ZoneLock::acquire(*zone);
            if (!lock) {
                return false;
            }
            more = lock->log().forgetListener(listenerId, from, kSweep);
        }
    }
    return true;
}

bool beginCensus(const MainConfig& config) noexcept {
    for (Zone* zone : zonesOf(config)) {
        std::optional<ZoneLock> lock = ZoneLock::acquire(*zone);
        if (!lock) {
            return false;
        }
        lock->log().beginCensus();
    }
    return true;
}

} // namespace

bool clearAway(const MainConfig& config, Registry& registry, const Registry::LeftBehind& left) noexcept {
    for (uint32_t id = 0; id < kMaxListeners; ++id) {
        if (left.has(id) && !forget(config, id)) {
            return false;
        }
    }
    if ((left.counts && !beginCensus(config)) || !registry.cleared(left)) {
        return false;
    }
    if (left.counts) {
        registry.wakeAll(); // to take part in the census
    }
    return true;
}

bool isCrowded(const MainConfig& config) noexcept {
    std::span<Zone* const> zones = zonesOf(config);
    return std::any_of(zones.begin(), zones.end(), [](const Zone* zone) {
        LogStats stats = zone->log.stats();
        return stats.channels > stats.channelCapacity / 2;
    });
}

} // namespace sse
