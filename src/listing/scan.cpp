#include "listing/scan.hpp"

#include "zone_lock.hpp"

namespace sse {

bool ChannelScan::walk(Part& part) const noexcept {
    std::optional<ZoneLock> lock = ZoneLock::acquire(*zone_);
    if (!lock) {
        return false;
    }
    part.found = lock->log().walk(from_, part.room);
    return true;
}

} // namespace sse
