// Upkeep of the zones' indexes and of the roster: clears away what dead workers have left behind.
#pragma once

#include "conf/config.hpp"
#include "roster/registry.hpp"

namespace sse {

// Clears away what is not used any more: listener ids in the indexes, and counts that are void. false: a lock
// was not to be had, so it is to be called again.
bool clearAway(const MainConfig& config, Registry& registry, const Registry::LeftBehind& left) noexcept;

// Whether some index is more than half full, so that it may matter what is freed late.
bool isCrowded(const MainConfig& config) noexcept;

} // namespace sse
