#include "zone_lock.hpp"

#include <cerrno>

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

namespace sse {

namespace {

// Whether a process has ended. For kill() a child of ours exists until it has been waited for.
bool isGone(ngx_pid_t pid) noexcept {
    siginfo_t info{};
    bool isChild = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    return isChild ? info.si_pid == pid : kill(pid, 0) == -1 && errno == ESRCH;
}

uint64_t monotonicMilliseconds() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

// Watches the holder of a lock that is not available. Frees the lock if the holder is gone; reports a holder
// that lives and does not let go, perhaps because it has been stopped: then every process waits for it.
class HolderWatch {
public:
    HolderWatch(const ngx_shm_zone_t& shared, ngx_shmtx_t* mutex) noexcept : shared_(shared), mutex_(mutex) {}

    void look() noexcept {
        // nginx-internal: core/ngx_shmtx.c (1.22.1, 1.26.3, 1.30.4): the word of a lock is the pid of its
        // holder.
        auto holder = static_cast<ngx_pid_t>(*mutex_->lock);
        if (holder != 0 && isGone(holder)) {
            seize(holder);
        } else {
            measure(holder);
        }
    }

private:
    static constexpr uint64_t kReportTime = 1000; // milliseconds

    void seize(ngx_pid_t holder) noexcept {
        if (ngx_shmtx_force_unlock(mutex_, holder)) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sse: zone \"%V\" was locked by %P",
                          &shared_.shm.name, holder);
        }
    }

    void measure(ngx_pid_t holder) noexcept {
        const uint64_t now = monotonicMilliseconds();
        if (holder == 0 || holder != holder_) {
            holder_ = holder;
            since_ = now;
            due_ = now + kReportTime;
        } else if (now >= due_) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "sse: zone \"%V\" is locked by %P, which has not let go for %uL ms",
                          &shared_.shm.name, holder, now - since_);
            due_ = now + kReportTime;
        }
    }

    const ngx_shm_zone_t& shared_;
    ngx_shmtx_t* mutex_;
    ngx_pid_t holder_ = 0;
    uint64_t since_ = 0; // when this holder was first seen
    uint64_t due_ = 0;   // when to report next
};

// How often the lock is tried before its waiter yields the processor, and before it sleeps in between. It is
// rarely held for longer than some microseconds, except by a master that carries over a large zone.
constexpr int kSpins = 100;
constexpr int kEagerAttempts = 1000;

// nginx-internal: core/ngx_shmtx.c (1.22.1, 1.26.3, 1.30.4): ngx_shmtx_lock() would sleep on a semaphore, to
// which a dead process does not post.
void waitForLock(const ngx_shm_zone_t& shared, ngx_shmtx_t* mutex) noexcept {
    HolderWatch watch(shared, mutex);
    for (int attempt = 0; !ngx_shmtx_trylock(mutex); ++attempt) {
        if (attempt < kSpins && ngx_ncpu > 1) {
            ngx_cpu_pause();
        } else if (attempt < kEagerAttempts) {
            ngx_sched_yield();
        } else {
            watch.look();
            ngx_msleep(1);
        }
    }
}

} // namespace

ShmLock::ShmLock(const ngx_shm_zone_t& shared) noexcept
    : mutex_(&reinterpret_cast<ngx_slab_pool_t*>(shared.shm.addr)->mutex) {
    if (!ngx_shmtx_trylock(mutex_)) {
        waitForLock(shared, mutex_);
    }
}

} // namespace sse
