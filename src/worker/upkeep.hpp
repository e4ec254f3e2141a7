// Upkeep of the zones' indexes and of the roster: clears away what dead workers have left behind.
#pragma once

#include "conf/config.hpp"
#include "roster/registry.hpp"

namespace sse {

// Clears away what is no longer used: listener ids in the indexes, and void counts.
void clearAway(const MainConfig& config, Registry& registry, const Registry::LeftBehind& left) noexcept;

// Whether some index is more than half full, so that it may matter what is freed late.
bool isCrowded(const MainConfig& config) noexcept;

} // namespace sse
