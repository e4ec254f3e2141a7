#include "zone_lock.hpp"

#include <cerrno>

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace sse {

namespace {

// Whether a process has ended, also if its parent has not waited for it yet. Without pidfds (Linux 5.3) that
// is only known of a child of ours.
bool isGone(ngx_pid_t pid) noexcept {
#ifdef SYS_pidfd_open
    const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (fd != -1) {
        pollfd ended{.fd = fd, .events = POLLIN, .revents = 0};
        const bool isGone = poll(&ended, 1, 0) == 1;
        close(fd);
        return isGone;
    }
#endif
    siginfo_t info{};
    bool isChild = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    return isChild ? info.si_pid == pid : kill(pid, 0) == -1 && errno == ESRCH;
}

uint64_t monotonicMilliseconds() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

constexpr uint64_t kReportTime = 1000; // milliseconds from one report to the next

// How often the lock is tried for before its waiter lets others have the processor, and before it sleeps in
// between. It is rarely held for longer than some microseconds.
constexpr int kSpins = 100;
constexpr int kEagerAttempts = 1000;

// Then it sleeps for a millisecond at a time. So often a holder may be found that has not let go; naps are
// counted, because time also goes by while nobody gets a processor, the holder neither. And so often any.
constexpr int kPatience = 50;
constexpr int kMostNaps = 250;

// One attempt to get a lock that is held.
class Waiting {
public:
    Waiting(const ngx_shm_zone_t& shared, ngx_shmtx_t* mutex, LockWatch& watch) noexcept
        : shared_(shared), mutex_(mutex), watch_(watch) {}

    bool acquire() noexcept {
        if (watch_.isStuck && isSameHolder()) {
            return tryOnce();
        }
        watch_ = {};
        if (tryEagerly(kEagerAttempts)) {
            return true;
        }
        int found = 0; // how often the same holder was
        for (int naps = 0; naps < kMostNaps && found < kPatience; ++naps) {
            found = look() ? found + 1 : 0;
            ngx_msleep(1);
            if (ngx_shmtx_trylock(mutex_)) {
                return succeed();
            }
        }
        if (found == kPatience) {
            watch_.isStuck = true;
            report();
        }
        return false;
    }

    void wait() noexcept {
        bool isHad = tryEagerly(kEagerAttempts);
        while (!isHad) {
            look();
            if (watch_.holder != 0 && monotonicMilliseconds() - watch_.since >= kReportTime) {
                report();
            }
            ngx_msleep(1);
            isHad = ngx_shmtx_trylock(mutex_) != 0;
        }
    }

private:
    bool isSameHolder() const noexcept { return static_cast<ngx_pid_t>(*mutex_->lock) == watch_.holder; }

    // The holder that was waited for in vain is still the one, or has it again.
    bool tryOnce() noexcept {
        if (look()) {
            report();
        }
        return tryEagerly(kSpins);
    }

    bool tryEagerly(int attempts) noexcept {
        for (int attempt = 0; attempt < attempts; ++attempt) {
            if (ngx_shmtx_trylock(mutex_)) {
                return succeed();
            }
            if (attempt < kSpins && ngx_ncpu > 1) {
                ngx_cpu_pause();
            } else {
                ngx_sched_yield();
            }
        }
        return false;
    }

    bool succeed() noexcept {
        watch_ = {};
        return true;
    }

    // Frees the lock if its holder is gone. Returns whether it is held by whom it was held before.
    bool look() noexcept {
        auto holder = static_cast<ngx_pid_t>(*mutex_->lock);
        if (holder != 0 && isGone(holder)) {
            if (ngx_shmtx_force_unlock(mutex_, holder)) {
                ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sse: zone \"%V\" was locked by %P",
                              &shared_.shm.name, holder);
            }
            holder = 0;
        }
        if (holder != 0 && holder == watch_.holder) {
            return true;
        }
        watch_ = {};
        watch_.holder = holder;
        watch_.since = monotonicMilliseconds();
        return false;
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
    if (ngx_shmtx_trylock(mutex)) {
        watch.isStuck = false;
    } else if (!Waiting(shared, mutex, watch).acquire()) {
        return std::nullopt;
    }
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
