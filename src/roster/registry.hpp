// The registry: the roster of the workers in nginx's shared memory, and how each is woken.
//
// The master creates the eventfds before the first fork, so that every generation has them all; they are
// closed when no cycle uses them any more.
#pragma once

#include "ngx.hpp"
#include "roster/roster.hpp"
#include "zone_lock.hpp"

namespace sse {

class Registry {
public:
    using LeftBehind = Roster::LeftBehind;

    static constexpr std::string_view kZoneName = "sse_workers"; // of the shared memory

    // While the configuration is read: asks nginx for the zone that holds the entries.
    static ngx_shm_zone_t* addZone(ngx_conf_t* cf) noexcept;

    // In the master, before the fork, once for each cycle that has zones: creates the missing eventfds, and
    // keeps them until the cycle ends. Failures are logged; a worker without an eventfd polls the log
    // instead.
    static void makeEventfds(ngx_cycle_t* cycle) noexcept;

    // One more, for a worker that found none of these; -1 after an error, which is logged.
    static int makeEventfd(ngx_log_t* log) noexcept;

    // Whether there is a process with that pid.
    static bool isAlive(int64_t pid) noexcept;

    // Called with the lock held when this worker has got an entry, whether it had another one before or none.
    using OnPlace = void (*)(uint32_t place) noexcept;

    // In a worker: takes an entry for this process, and takes over what others have left behind. Without the
    // lock nothing is taken, here and below, and the call is to be repeated.
    LeftBehind claim(ngx_shm_zone_t* zone, ngx_log_t* log, OnPlace onPlace) noexcept;
    bool hasEntry() const noexcept { return roster_.hasEntry(); }
    // Later: takes over what has been left behind since.
    LeftBehind claimLeftBehind() noexcept;
    bool cleared(const LeftBehind& left) noexcept;
    void release() noexcept { roster_.release(); }

    // Like the roster's. false: the lock was not available.
    uint32_t beginChange(bool stays) noexcept;
    bool finishChange(OnPlace onPlace) noexcept;
    void turnOver(bool crowded) noexcept;

    static bool isExclusive(uint32_t listenerId) noexcept { return listenerId < Roster::kExclusiveIds; }
    uint32_t listenerId() const noexcept { return roster_.listenerId(); }
    // The entry of this worker; a private stand-in if it found no free one.
    WorkerEntry& own() noexcept { return roster_.hasEntry() ? roster_.at(roster_.index()) : spare_; }
    // Other workers wake this one through it; -1 if they cannot.
    int eventfd() const noexcept;

    // Wakes the workers of that set, except this one. Returns whether this one was among them.
    bool wake(const ListenerSet& workers) noexcept;
    void wakeAll() noexcept;

    // For the status page: calls visit(place, entry, whether its worker is alive). The lock is taken for each
    // entry, so the contents of a place belong together, and no process waits for all of them. A worker that
    // changes its entry meanwhile may be missed; without the lock it may come twice.
    template <typename F>
    void eachEntry(F&& visit) const noexcept {
        for (uint32_t i = 0; i < roster_.entryCount(); ++i) {
            const std::optional<ShmLock> lock = acquire();
            visit(i, roster_.at(i), roster_.isWorker(i));
        }
    }

private:
    void signal(uint32_t worker) noexcept;
    std::optional<ShmLock> acquire() const noexcept { return ShmLock::acquire(*zone_, lockWatch_); }

    ngx_shm_zone_t* zone_ = nullptr;
    mutable LockWatch lockWatch_;
    Roster roster_;
    WorkerEntry spare_{};
};

} // namespace sse
