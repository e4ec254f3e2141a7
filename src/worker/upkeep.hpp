// Upkeep of the zones' indexes and of the roster: what dead workers have left behind goes away.
#pragma once

#include "conf/config.hpp"
#include "roster/registry.hpp"

namespace sse {

// Clears away what is not used any more: listener ids in the indexes, and counts that are void.
void clearAway(const MainConfig& config, Registry& registry, const Registry::LeftBehind& left) noexcept;

// Whether some index is more than half full, so that it may matter what is given back late.
bool isCrowded(const MainConfig& config) noexcept;

} // namespace sse
