// A bus: a zone whose log is a Redis Stream that many machines tail. One for each such zone in each worker.
//
// One worker of the machine, the follower, reads the stream and appends to the zone what others (and this
// machine) have published. Every worker looks ten times a second whether there is one, and takes its place
// if not; see bus_state.hpp.
#pragma once

#include "bus/bus_state.hpp"
#include "bus/pipeline.hpp"
#include "conf/bus_config.hpp"
#include "conf/config.hpp"
#include "ngx.hpp"
#include "zone.hpp"

namespace sse {

class Bus {
public:
    // This worker's; NULL if the zone has none, or there was no memory for it.
    static Bus* of(const Zone& zone) noexcept;

    // In a worker, after Worker::start(). A bus that there is no memory for is logged, and is none.
    static void start(ngx_cycle_t* cycle, const MainConfig& config) noexcept;
    // Before it exits.
    static void stop() noexcept;

    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    Zone& zone() noexcept { return *config_.zone; }
    const BusConfig& config() const noexcept { return config_; }
    BusState& state() noexcept { return state_; }
    Pipeline& pipeline() noexcept { return pipeline_; }
    // Whether entries come through, as far as this machine knows.
    bool isUp() const noexcept { return state_.isUp(); }

private:
    explicit Bus(const BusConfig& config) noexcept
        : config_(config), state_(*config.state), pipeline_(config, *config.state) {}

    const BusConfig& config_;
    BusState& state_;
    Pipeline pipeline_;
};

} // namespace sse
