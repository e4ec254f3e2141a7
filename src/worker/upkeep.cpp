#include "worker/upkeep.hpp"

#include <algorithm>

#include "log/assert.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// Index entries searched in one slice, with the zone's lock held: some tenths of a millisecond.
constexpr uint32_t kSweep = 4096;

std::span<Zone* const> zonesOf(const MainConfig& config) noexcept {
    return {static_cast<Zone* const*>(config.zones.elts), config.zones.nelts};
}

} // namespace

void Upkeep::init(const MainConfig& config, Registry& registry) noexcept {
    zones_ = zonesOf(config);
    registry_ = &registry;
}

void Upkeep::add(const Registry::LeftBehind& left) noexcept {
    SSE_ASSERT(isDone());
    left_ = left;
    zone_ = left.listenerIds == ListenerSet{} ? static_cast<uint32_t>(zones_.size()) : 0;
    entry_ = 0;
}

bool Upkeep::runSlice() noexcept {
    if (isDone()) {
        return false;
    }
    if (zone_ != zones_.size()) {
        return forget();
    }
    return finish();
}

// Clears the listener ids, in the index of one zone after the other.
bool Upkeep::forget() noexcept {
    std::optional<ZoneLock> lock = ZoneLock::acquire(*zones_[zone_]);
    if (!lock) {
        return false;
    }
    if (lock->log().forgetListeners(left_.listenerIds, entry_, kSweep)) {
        entry_ += kSweep;
    } else {
        ++zone_;
        entry_ = 0;
    }
    return true;
}

// A census that is begun twice does no harm.
bool Upkeep::finish() noexcept {
    for (Zone* zone : left_.counts ? zones_ : std::span<Zone* const>()) {
        std::optional<ZoneLock> lock = ZoneLock::acquire(*zone);
        if (!lock) {
            return false;
        }
        lock->log().beginCensus();
    }
    if (!registry_->cleared(left_)) {
        return false;
    }
    if (left_.counts) {
        registry_->wakeAll(); // to take part in the census
    }
    left_ = {};
    return false;
}

bool isCrowded(const MainConfig& config) noexcept {
    std::span<Zone* const> zones = zonesOf(config);
    return std::any_of(zones.begin(), zones.end(), [](const Zone* zone) {
        LogStats stats = zone->log.stats();
        return stats.channels > stats.channelCapacity / 2;
    });
}

} // namespace sse
