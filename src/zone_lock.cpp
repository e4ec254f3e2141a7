#include "zone_lock.hpp"

#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace sse {

namespace {

// Whether a process has ended. For kill() a child of ours exists until it has been waited for.
bool isGone(ngx_pid_t pid) noexcept {
    siginfo_t info{};
    bool isChild = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    return isChild ? info.si_pid == pid : kill(pid, 0) == -1 && errno == ESRCH;
}

// Whether a process has been stopped by a signal or a debugger; false if the system does not say.
//
// proc_pid_stat(5): "pid (name) state ...", and the name may contain anything.
bool isStopped(ngx_pid_t pid) noexcept {
    char path[sizeof("/proc//stat") + NGX_INT64_LEN];
    char text[256];
    *ngx_sprintf(reinterpret_cast<u_char*>(path), "/proc/%P/stat", pid) = '\0';
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return false;
    }
    const ssize_t size = read(fd, text, sizeof(text));
    close(fd);
    const std::string_view stat(text, size > 0 ? static_cast<size_t>(size) : 0);
    const size_t name = stat.rfind(')');
    if (name == std::string_view::npos || name + 2 >= stat.size()) {
        return false;
    }
    const char state = stat[name + 2];
    return state == 'T' || state == 't';
}

uint64_t monotonicMilliseconds() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

constexpr uint64_t kReportTime = 1000; // milliseconds from one report to the next

// How often a waiter tries the lock before it yields the processor between attempts, and before it sleeps
// between them. The lock is rarely held for longer than some microseconds.
constexpr int kSpins = 100;
constexpr int kEagerAttempts = 1000;

// After that the waiter sleeps for a millisecond at a time. These are the most naps for one holder that has
// been stopped (a debugger stops a process for a moment when it attaches), for one holder that has not, and
// for one attempt in all. Naps are counted instead of milliseconds, because time also passes while no process
// gets a processor, not even the holder.
constexpr int kStoppedPatience = 5;
constexpr int kPatience = 1000;
constexpr int kMostNaps = 2000;

// One attempt to get a lock that is held.
class Waiting {
public:
    Waiting(const ngx_shm_zone_t& shared, ngx_shmtx_t* mutex, LockWatch& watch) noexcept
        : shared_(shared), mutex_(mutex), watch_(watch) {}

    // False if the holder has been stopped, or does not let go.
    bool acquire() noexcept {
        bool isHad = tryEagerly(hasGivenUp() ? kSpins : kEagerAttempts);
        for (int naps = 0; !isHad; ++naps) {
            look();
            if (watch_.naps >= patience() || naps >= kMostNaps) {
                report();
                return false;
            }
            isHad = nap();
        }
        return true;
    }

    void wait() noexcept {
        bool isHad = tryEagerly(kEagerAttempts);
        while (!isHad) {
            look();
            if (watch_.holder != 0 && monotonicMilliseconds() - watch_.since >= kReportTime) {
                report();
            }
            isHad = nap();
        }
    }

private:
    int patience() const noexcept { return watch_.isStopped ? kStoppedPatience : kPatience; }
    // Whether this process has waited in vain for this holder; then each attempt must be cheap.
    bool hasGivenUp() const noexcept { return watch_.naps >= patience() && holder() == watch_.holder; }

    // nginx-internal: core/ngx_shmtx.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the word of a lock is the pid of its
    // holder.
    ngx_pid_t holder() const noexcept { return static_cast<ngx_pid_t>(*mutex_->lock); }

    bool tryEagerly(int attempts) noexcept {
        for (int attempt = 0; attempt < attempts; ++attempt) {
            if (ngx_shmtx_trylock(mutex_)) {
                return true;
            }
            if (attempt < kSpins && ngx_ncpu > 1) {
                ngx_cpu_pause();
            } else {
                ngx_sched_yield();
            }
        }
        return false;
    }

    bool nap() noexcept {
        ngx_msleep(1);
        ++watch_.naps;
        return ngx_shmtx_trylock(mutex_) != 0;
    }

    // Frees the lock if its holder is gone; otherwise finds out about the holder.
    void look() noexcept {
        ngx_pid_t pid = holder();
        if (pid != 0 && isGone(pid)) {
            if (ngx_shmtx_force_unlock(mutex_, pid)) {
                ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sse: zone \"%V\" was locked by %P",
                              &shared_.shm.name, pid);
            }
            pid = 0;
        }
        if (pid == 0 || pid != watch_.holder) {
            watch_ = {.holder = pid, .since = monotonicMilliseconds()};
        }
        watch_.isStopped = pid != 0 && isStopped(pid);
    }

    void report() noexcept {
        const uint64_t now = monotonicMilliseconds();
        if (watch_.holder != 0 && now >= watch_.due) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "sse: zone \"%V\" is locked by %P, which has not let go for %uL ms",
                          &shared_.shm.name, watch_.holder, now - watch_.since);
            watch_.due = now + kReportTime;
        }
    }

    const ngx_shm_zone_t& shared_;
    ngx_shmtx_t* mutex_;
    LockWatch& watch_;
};

ngx_shmtx_t* mutexOf(const ngx_shm_zone_t& shared) noexcept {
    return &reinterpret_cast<ngx_slab_pool_t*>(shared.shm.addr)->mutex;
}

} // namespace

std::optional<ShmLock> ShmLock::acquire(const ngx_shm_zone_t& shared, LockWatch& watch) noexcept {
    ngx_shmtx_t* mutex = mutexOf(shared);
    if (!ngx_shmtx_trylock(mutex) && !Waiting(shared, mutex, watch).acquire()) {
        return std::nullopt;
    }
    watch.holder = 0;
    return ShmLock(mutex);
}

ShmLock ShmLock::wait(const ngx_shm_zone_t& shared) noexcept {
    ngx_shmtx_t* mutex = mutexOf(shared);
    if (!ngx_shmtx_trylock(mutex)) {
        LockWatch watch;
        Waiting(shared, mutex, watch).wait();
    }
    return ShmLock(mutex);
}

std::optional<ZoneLock> ZoneLock::acquire(const Zone& zone) noexcept {
    std::optional<ShmLock> lock = ShmLock::acquire(*zone.shared, zone.lockWatch);
    return lock ? std::optional<ZoneLock>(ZoneLock(std::move(*lock), zone.log)) : std::nullopt;
}

} // namespace sse
