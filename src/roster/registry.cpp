#include "roster/registry.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace sse {

namespace {

using Eventfds = std::array<int, RosterMemory::kCapacity>;

constexpr Eventfds noEventfds() noexcept {
    Eventfds none{};
    none.fill(-1);
    return none;
}

// By worker entry; -1 where there is none. Every worker inherits them.
constinit Eventfds eventfds = noEventfds();

// How many cycles use them.
ngx_uint_t users = 0;

// Called when a cycle ends. With the last one this copy of the module is unloaded, and a copy that is loaded
// later would not know of the eventfds.
//
// nginx-internal: core/ngx_palloc.c, core/nginx.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the cleanups of a pool
// run last in, first out, so this one runs before the one that unloads the module (ngx_load_module).
void leaveEventfds(void*) noexcept {
    if (--users != 0) {
        return;
    }
    for (int& fd : eventfds) {
        if (fd != -1) {
            close(std::exchange(fd, -1));
        }
    }
}

ngx_int_t initEntries(ngx_shm_zone_t* zone, void* old) noexcept {
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    if (old != nullptr || zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }
    zone->data = pool->data = ngx_slab_calloc(pool, sizeof(RosterMemory));
    return zone->data == nullptr ? NGX_ERROR : NGX_OK;
}

// Room for this generation, the one that is leaving, and as many again for reloads in quick succession. But
// every worker has all of them open, and most of the descriptors that it may open are for its clients.
//
// nginx-internal: os/unix/ngx_process_cycle.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a worker sets its limit to
// worker_rlimit_nofile.
uint32_t wantedEventfds(ngx_cycle_t* cycle) noexcept {
    auto* core = reinterpret_cast<ngx_core_conf_t*>(ngx_get_conf(cycle->conf_ctx, ngx_core_module));
    rlim_t limit = RLIM_INFINITY;
    struct rlimit current {};
    if (getrlimit(RLIMIT_NOFILE, &current) == 0) {
        limit = current.rlim_cur;
    }
    if (core->rlimit_nofile != NGX_CONF_UNSET) {
        limit = std::min(limit, static_cast<rlim_t>(core->rlimit_nofile));
    }
    rlim_t workers = static_cast<rlim_t>(core->worker_processes);
    rlim_t wanted = std::clamp<rlim_t>(4 * workers, 32, RosterMemory::kCapacity);
    return static_cast<uint32_t>(std::min(wanted, limit / 4));
}

} // namespace

ngx_shm_zone_t* Registry::addZone(ngx_conf_t* cf) noexcept {
    ngx_str_t zoneName = ngxString(kZoneName);
    size_t size = sizeof(RosterMemory) + 16 * ngx_pagesize; // the rest is for the slab pool itself
    ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &zoneName, size, &ngx_http_sse_module);
    if (zone != nullptr) {
        zone->init = initEntries;
        zone->data = nullptr;
    }
    return zone;
}

void Registry::makeEventfds(ngx_cycle_t* cycle) noexcept {
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cycle->pool, 0);
    if (cleanup == nullptr) {
        return;
    }
    cleanup->handler = leaveEventfds;
    ++users;

    uint32_t wanted = wantedEventfds(cycle);
    for (uint32_t i = 0; i < wanted; ++i) {
        if (eventfds[i] != -1 || Roster::isShared(i)) {
            continue;
        }
        eventfds[i] = makeEventfd(cycle->log);
        if (eventfds[i] == -1) {
            return;
        }
    }
}

int Registry::makeEventfd(ngx_log_t* log) noexcept {
    int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno, "eventfd() failed");
    }
    return fd;
}

bool Registry::isAlive(int64_t pid) noexcept {
    return pid == ngx_pid || kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH;
}

// nginx-internal: os/unix/ngx_process.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): no two living processes of a master
// have the same ngx_process_slot.
Registry::LeftBehind Registry::claim(ngx_shm_zone_t* zone, ngx_log_t* log, OnPlace onPlace) noexcept {
    zone_ = zone;
    roster_ = Roster(*static_cast<RosterMemory*>(zone->data), {ngx_pid, ngx_process_slot, isAlive});
    const std::optional<ShmLock> lock = acquire();
    LeftBehind left = lock ? roster_.claim() : LeftBehind{};
    if (roster_.hasEntry()) {
        onPlace(roster_.index());
    } else if (lock) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "too many workers: this one takes no subscribers");
    }
    return left;
}

Registry::LeftBehind Registry::claimLeftBehind() noexcept {
    if (!roster_.someLeftBehind()) {
        return {};
    }
    const std::optional<ShmLock> lock = acquire();
    return lock ? roster_.takeLeftBehind() : LeftBehind{};
}

bool Registry::cleared(const LeftBehind& left) noexcept {
    if (left.listenerIds == ListenerSet{}) {
        return true;
    }
    const std::optional<ShmLock> lock = acquire();
    if (lock) {
        roster_.cleared(left);
    }
    return lock.has_value();
}

uint32_t Registry::beginChange(bool stays) noexcept {
    if (!roster_.wantsChange(stays)) {
        return kMaxListeners;
    }
    const std::optional<ShmLock> lock = acquire();
    return lock ? roster_.beginChange(stays) : kMaxListeners;
}

bool Registry::finishChange(OnPlace onPlace) noexcept {
    const std::optional<ShmLock> lock = acquire();
    if (!lock) {
        return false;
    }
    const uint32_t before = roster_.index();
    roster_.finishChange();
    if (roster_.index() != before) {
        onPlace(roster_.index());
    }
    return true;
}

void Registry::turnOver(bool crowded) noexcept {
    if (!roster_.wantsTurn(crowded, ngx_current_msec)) {
        return;
    }
    if (const std::optional<ShmLock> lock = acquire()) {
        roster_.turnOver(crowded, ngx_current_msec);
    }
}

int Registry::eventfd() const noexcept {
    return roster_.hasEntry() ? eventfds[roster_.index()] : -1;
}

void Registry::signal(uint32_t worker) noexcept {
    if (eventfds[worker] == -1 || roster_.at(worker).pending.exchange(1) != 0) {
        return;
    }
    own().wakeUpsSent.add();
    uint64_t one = 1;
    // A full counter is a wake-up too, so EAGAIN needs no action.
    [[maybe_unused]] ssize_t written = write(eventfds[worker], &one, sizeof(one));
}

bool Registry::wake(const ListenerSet& workers) noexcept {
    bool self = false;
    roster_.eachWorkerOf(workers, [this, &self](uint32_t worker) {
        if (worker == roster_.index()) {
            self = true;
        } else {
            signal(worker);
        }
    });
    return self;
}

void Registry::wakeAll() noexcept {
    for (uint32_t i = 0; i < roster_.entryCount(); ++i) {
        if (i != roster_.index() && !Roster::isShared(i) && roster_.at(i).pid.load() != 0) {
            signal(i);
        }
    }
}

} // namespace sse
