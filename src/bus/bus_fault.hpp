// What keeps the bus of a zone from being used, as this machine sees it: for probes, variables and the
// status.
#pragma once

#include <cstdint>

#include "bus/bus_state.hpp"

namespace sse {

enum class BusFault : uint8_t {
    None,
    NotConnected,
    Silent,    // connected, but nothing comes through, not even a probe
    NotFilled, // the log has not caught up with the stream yet: where a cursor leads may be known only later
};

inline BusFault faultOf(const BusState& state) noexcept {
    if (!state.isUp()) {
        return state.connected.load(std::memory_order_relaxed) == 0 ? BusFault::NotConnected
                                                                    : BusFault::Silent;
    }
    return state.isFilled.load(std::memory_order_relaxed) == 0 ? BusFault::NotFilled : BusFault::None;
}

} // namespace sse
