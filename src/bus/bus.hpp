// A bus: a zone whose log is a Redis Stream that many machines tail. Each worker has one for each such zone.
//
// One worker of the machine, the follower, reads the stream and appends to the zone what others (and this
// machine) have published. Ten times a second every worker checks whether there is a follower, and takes its
// place if not; see bus_state.hpp.
#pragma once

#include "bus/bus_state.hpp"
#include "bus/follower.hpp"
#include "bus/pipeline.hpp"
#include "conf/bus_config.hpp"
#include "conf/config.hpp"
#include "ngx.hpp"
#include "worker/drain.hpp"
#include "worker/loop_event.hpp"
#include "zone.hpp"

namespace sse {

class Bus {
public:
    // The bus of the zone in this worker; NULL if the zone has none, or there was no memory for it.
    static Bus* of(const Zone& zone) noexcept;

    // Call this in a worker, after Worker::start(). If there is no memory for a bus, that is logged, and the
    // zone has no bus in this worker. `onControl` is called in the follower, see Follower::ControlHandler;
    // NULL: nothing is called.
    static void start(ngx_cycle_t* cycle, const MainConfig& config,
                      Follower::ControlHandler onControl = nullptr) noexcept;
    // Call this before the worker exits.
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
    Bus(const BusConfig& config, const MainConfig& main, Follower::ControlHandler onControl) noexcept;

    void keepUp() noexcept;
    void elect() noexcept;
    void checkHealth() noexcept;
    void leave() noexcept;

    const BusConfig& config_;
    BusState& state_;
    Follower follower_;
    Pipeline pipeline_;
    LoopEvent timer_;
    Drainable drain_{};
    Bus* next_ = nullptr; // the next bus of this worker
};

} // namespace sse
