// Upkeep of the zones' indexes and of the roster: clears away what dead workers have left behind.
#pragma once

#include <span>

#include "conf/config.hpp"
#include "roster/registry.hpp"

namespace sse {

class Upkeep {
public:
    void init(const MainConfig& config, Registry& registry) noexcept;

    // Takes over what has been left behind. Not while something is still being cleared away.
    void add(const Registry::LeftBehind& left) noexcept;
    bool isDone() const noexcept { return !left_.any(); }
    // Whether an index may still know this listener id from a dead worker.
    bool isLeft(uint32_t listenerId) const noexcept { return left_.has(listenerId); }

    // Clears a part of it away. Returns whether there is more to do at once; there is not while a lock is not
    // available.
    bool runSlice() noexcept;

private:
    bool forget() noexcept;
    bool finish() noexcept;

    std::span<Zone* const> zones_;
    Registry* registry_ = nullptr;
    Registry::LeftBehind left_;
    uint32_t zone_ = 0;  // in which the listener ids are being cleared
    uint32_t entry_ = 0; // and the next one of its index
};

// Whether some index is more than half full; then it may matter that entries are freed late.
bool isCrowded(const MainConfig& config) noexcept;

} // namespace sse
