#include "bus/bus.hpp"

#include <new>
#include <span>
#include <utility>

#include "roster/registry.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// How often a worker looks after its buses, in milliseconds.
constexpr ngx_msec_t kLook = 100;
// A follower that has not been at work for this long is replaced.
constexpr int64_t kStopped = 3000;
// A bus is dead after kAway without a connection, or if nothing comes through for kSilent.
constexpr int64_t kAway = 1000;
constexpr int64_t kSilent = 3000;

constinit Bus* buses = nullptr;

// How long ago `time` was. Another process may have seen a later time than this one, so it may be negative.
int64_t since(const SharedWord& time) noexcept {
    return static_cast<int64_t>(ngx_current_msec - time.load());
}

} // namespace

Bus* Bus::of(const Zone& zone) noexcept {
    Bus* bus = buses;
    while (bus != nullptr && bus->config_.zone != &zone) {
        bus = bus->next_;
    }
    return bus;
}

void Bus::start(ngx_cycle_t* cycle, const MainConfig& config, Follower::ControlHandler onControl) noexcept {
    for (const BusConfig* bus :
         std::span(static_cast<BusConfig* const*>(config.buses.elts), config.buses.nelts)) {
        void* memory = ngx_palloc(cycle->pool, sizeof(Bus));
        if (memory == nullptr) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "sse: bus \"%V\": no memory", &bus->zone->name);
            continue;
        }
        auto* made = ::new (memory) Bus(*bus, config, onControl);
        made->next_ = buses;
        buses = made;
    }
}

// The memory of the buses belongs to the pool, but what they hold does not.
void Bus::stop() noexcept {
    while (buses != nullptr) {
        Bus* bus = std::exchange(buses, buses->next_);
        bus->leave();
        bus->pipeline_.stop();
        bus->~Bus(); // its memory is nginx's
    }
}

Bus::Bus(const BusConfig& config, const MainConfig& main, Follower::ControlHandler onControl) noexcept
    : config_(config), state_(*config.state), pipeline_(config, *config.state) {
    follower_.init(config, main, onControl);
    pipeline_.start();
    timer_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Bus>(e).keepUp(); });
    timer_.wait(1);
    // Among the first things that a leaving worker ends.
    drain_.owner = this;
    drain_.drain = [](Drainable& drainable, bool) noexcept {
        Drain::remove(drainable);
        static_cast<Bus*>(drainable.owner)->leave();
    };
    Worker::self().add(drain_);
}

// Another worker can then follow without waiting until this one has exited.
void Bus::leave() noexcept {
    timer_.cancel();
    follower_.stop();
    int64_t self = ngx_pid;
    state_.follower.compare_exchange_strong(self, 0);
}

void Bus::keepUp() noexcept {
    if (follower_.isRunning()) {
        follower_.keepUp();
    } else if (!Worker::self().isDraining()) {
        elect();
    }
    checkHealth();
    timer_.wait(kLook);
}

// This process may have the pid of a follower that has died.
void Bus::elect() noexcept {
    int64_t follower = state_.follower.load();
    const bool isAtWork =
        follower != 0 && follower != ngx_pid && Registry::isAlive(follower) && since(state_.beat) < kStopped;
    if (isAtWork || !state_.follower.compare_exchange_strong(follower, ngx_pid)) {
        return;
    }
    state_.slot = ngx_process_slot;
    state_.beat = ngx_current_msec;
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "sse: bus \"%V\": this worker follows, after %L",
                  &config_.zone->name, follower);
    follower_.start();
}

// The worker that notices a change logs it. A dead bus is alive again once something has come through: that a
// connection has been opened or lost proves nothing.
void Bus::checkHealth() noexcept {
    for (SharedWord* time : {&state_.connectedAt, &state_.lastSeen}) {
        uint64_t never = 0;
        time->compare_exchange_strong(never, ngx_current_msec);
    }
    const bool isConnected = state_.connected.load() != 0;
    const bool isAway = !isConnected && since(state_.connectedAt) >= kAway;
    if (isAway || since(state_.lastSeen) >= kSilent) {
        uint64_t alive = 0;
        if (state_.deadSince.compare_exchange_strong(alive, unixMilliseconds())) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sse: bus \"%V\": dead: %s", &config_.zone->name,
                          isConnected ? "nothing comes through" : "there is no connection");
        }
    } else if (isConnected && !state_.isUp()) {
        state_.aliveAt = ngx_current_msec; // first: a process that finds the bus alive knows since when
        if (state_.deadSince.exchange(0) != 0) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "sse: bus \"%V\": alive again",
                          &config_.zone->name);
        }
    }
}

} // namespace sse
