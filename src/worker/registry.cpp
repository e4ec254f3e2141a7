#include "worker/registry.hpp"

#include <algorithm>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace sse {

namespace {

// By worker entry; -1 where there is none. Inherited by every worker.
int eventfds[kMaxWorkers];
bool eventfdsReady = false;

ngx_int_t initEntries(ngx_shm_zone_t* zone, void* old) noexcept {
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    if (old != nullptr || zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }
    zone->data = pool->data = ngx_slab_calloc(pool, sizeof(WorkerEntry) * kMaxWorkers);
    return zone->data == nullptr ? NGX_ERROR : NGX_OK;
}

// Room for this generation, the one that is leaving, and as many again for reloads in quick succession.
uint32_t wantedEventfds(ngx_cycle_t* cycle) noexcept {
    auto* core = reinterpret_cast<ngx_core_conf_t*>(ngx_get_conf(cycle->conf_ctx, ngx_core_module));
    auto workers = static_cast<uint32_t>(core->worker_processes);
    return std::clamp<uint32_t>(4 * workers, 32, Registry::kSharedMark);
}

} // namespace

ngx_shm_zone_t* Registry::addZone(ngx_conf_t* cf) noexcept {
    static char name[] = "sse_workers";
    ngx_str_t zoneName = ngxString(name);
    ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &zoneName, 16 * ngx_pagesize, &ngx_http_sse_module);
    if (zone != nullptr) {
        zone->init = initEntries;
        zone->data = nullptr;
    }
    return zone;
}

void Registry::makeEventfds(ngx_cycle_t* cycle) noexcept {
    if (!eventfdsReady) {
        std::fill_n(eventfds, kMaxWorkers, -1);
        eventfdsReady = true;
    }
    uint32_t wanted = wantedEventfds(cycle);
    for (uint32_t i = 0; i < wanted; ++i) {
        if (eventfds[i] != -1) {
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

bool Registry::isAlive(const WorkerEntry& entry) noexcept {
    auto pid = static_cast<pid_t>(entry.pid.load());
    return pid != 0 && (pid == ngx_pid || kill(pid, 0) == 0 || errno != ESRCH);
}

// An entry whose process slot is now ours belongs to a worker that is certainly dead, whatever its pid is
// now.
bool Registry::isLeftBehind(uint32_t worker) const noexcept {
    const WorkerEntry& entry = entries_[worker];
    return worker != index_ && entry.pid.load() != 0 &&
           (entry.slot.load() == ngx_process_slot || !isAlive(entry));
}

void Registry::take(uint32_t worker) noexcept {
    WorkerEntry& entry = entries_[worker];
    entry.slot.store(ngx_process_slot);
    entry.pending.store(0);
    entry.subscribers.store(0);
    entry.pid.store(ngx_pid);
}

// The registry's lock is held.
WorkerSet Registry::takeLeftBehind() noexcept {
    WorkerSet dead{};
    for (uint32_t i = 0; i < kSharedMark; ++i) {
        if (isLeftBehind(i)) {
            take(i);
            dead[i / 64] |= uint64_t{1} << i % 64;
        }
    }
    return dead;
}

WorkerSet Registry::claim(ngx_shm_zone_t* zone, ngx_log_t* log) noexcept {
    entries_ = static_cast<WorkerEntry*>(zone->data);
    mutex_ = &reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr)->mutex;

    ngx_shmtx_lock(mutex_);
    WorkerSet dead = takeLeftBehind();
    for (uint32_t i = 0; i < kSharedMark && !hasEntry(); ++i) {
        bool wasDead = (dead[i / 64] >> i % 64 & 1) != 0;
        if (wasDead || entries_[i].pid.load() == 0) {
            take(i);
            index_ = i;
        }
    }
    ngx_shmtx_unlock(mutex_);

    if (!hasEntry()) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "more than %uD workers: this one looks for events by a timer",
                      kSharedMark);
    }
    return dead;
}

WorkerSet Registry::claimDead() noexcept {
    WorkerSet dead{};
    bool any = false;
    for (uint32_t i = 0; i < kSharedMark && !any; ++i) {
        any = isLeftBehind(i);
    }
    if (any) {
        ngx_shmtx_lock(mutex_);
        dead = takeLeftBehind();
        ngx_shmtx_unlock(mutex_);
    }
    return dead;
}

void Registry::cleared(uint32_t worker) noexcept {
    if (worker != index_) {
        entries_[worker].pid.store(0);
    }
}

void Registry::release() noexcept {
    if (hasEntry()) {
        if (own().subscribers.load() == 0) {
            own().pid.store(0);
        }
        index_ = kNoEntry;
    }
}

int Registry::eventfd() const noexcept {
    return hasEntry() ? eventfds[index_] : -1;
}

void Registry::signal(uint32_t worker) noexcept {
    if (eventfds[worker] == -1 || entries_[worker].pending.exchange(1) != 0) {
        return;
    }
    uint64_t one = 1;
    // A full counter is a wake-up too: nothing to be done about EAGAIN.
    [[maybe_unused]] ssize_t written = write(eventfds[worker], &one, sizeof(one));
}

bool Registry::wake(const WorkerSet& workers) noexcept {
    bool self = false;
    for (uint32_t word = 0; word < workers.size(); ++word) {
        for (uint64_t bits = workers[word]; bits != 0; bits &= bits - 1) {
            uint32_t worker = word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits));
            if (worker == index_) {
                self = true;
            } else {
                signal(worker);
            }
        }
    }
    return self;
}

void Registry::wakeAll() noexcept {
    for (uint32_t i = 0; i < kSharedMark; ++i) {
        if (i != index_ && entries_[i].pid.load() != 0) {
            signal(i);
        }
    }
}

} // namespace sse
