#include "zone.hpp"

#include <algorithm>
#include <cerrno>

#include <signal.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

namespace sse {

namespace {

// What the slab pool takes for itself: a descriptor for each page, and less than three pages for the rest.
size_t slabOverhead(size_t zoneSize) noexcept {
    return 3 * ngx_pagesize + zoneSize / ngx_pagesize * sizeof(ngx_slab_page_t);
}

// All free pages of the slab pool in one allocation: this header, then the log. The pool's `data` leads to
// it. Other versions of the module find the log by this, so it stays as it is.
struct Arena {
    uint64_t length;
    uint64_t reserved[7];
};
static_assert(sizeof(Arena) == 64);

// The memory of the log in a zone; empty if there cannot be one. The zone may be another module's: nothing
// that lies there is trusted.
std::span<std::byte> findLog(const ngx_shm_zone_t& shared) noexcept {
    const auto* pool = reinterpret_cast<const ngx_slab_pool_t*>(shared.shm.addr);
    const auto start = reinterpret_cast<uintptr_t>(shared.shm.addr);
    const auto place = reinterpret_cast<uintptr_t>(pool->data);
    const size_t offset = place - start; // huge if it lies before
    if (place % alignof(Arena) != 0 || offset < sizeof(*pool) || offset > shared.shm.size - sizeof(Arena)) {
        return {};
    }
    auto* head = static_cast<Arena*>(pool->data);
    if (head->length > shared.shm.size - offset - sizeof(Arena)) {
        return {};
    }
    return {reinterpret_cast<std::byte*>(head + 1), head->length};
}

ngx_int_t createLog(Zone& zone, ngx_log_t* log) noexcept {
    ngx_slab_pool_t* pool = zone.pool();
    pool->log_nomem = 0;

    size_t length = pool->pfree * ngx_pagesize;
    void* memory = ngx_slab_alloc(pool, length);
    if (memory == nullptr) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "sse_zone \"%V\" has no %uz bytes in one piece", &zone.name,
                      length);
        return NGX_ERROR;
    }

    struct {
        SipKey key;
        uint64_t mark;
    } random{};
    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "getrandom() for sse_zone \"%V\" failed", &zone.name);
        return NGX_ERROR;
    }

    auto* head = static_cast<Arena*>(memory);
    head->length = length - sizeof(Arena);
    std::optional<Log> made = Log::create({reinterpret_cast<std::byte*>(head + 1), head->length},
                                          static_cast<uint32_t>(zone.channels), random.key,
                                          1 + random.mark % (kMarks - 1), unixMilliseconds());
    if (!made) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "sse_zone \"%V\" is too small for %ui channels", &zone.name,
                      zone.channels);
        return NGX_ERROR;
    }
    pool->data = memory;
    zone.log = *made;
    zone.isNew = true;
    return NGX_OK;
}

ngx_int_t attachLog(Zone& zone, ngx_log_t* log) noexcept {
    std::optional<Log> found = Log::attach(findLog(*zone.shared));
    if (!found) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "sse_zone \"%V\" was laid out by another version of the module",
                      &zone.name);
        return NGX_ERROR;
    }
    zone.log = *found;

    uint32_t channels = zone.log.figures().channelCapacity;
    if (channels != zone.channels) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "sse_zone \"%V\" keeps its %uD channels until its size changes or nginx restarts",
                      &zone.name, channels);
    }
    return NGX_OK;
}

// The zone of the same name in the cycle that is being replaced, whosever it is; NULL if there is none.
const ngx_shm_zone_t* findOldZone(const ngx_cycle_t* cycle, const Zone& zone) noexcept {
    if (cycle->old_cycle == nullptr) {
        return nullptr;
    }
    for (const ngx_list_part_t* part = &cycle->old_cycle->shared_memory.part; part != nullptr;
         part = part->next) {
        std::span<const ngx_shm_zone_t> found(static_cast<const ngx_shm_zone_t*>(part->elts), part->nelts);
        for (const ngx_shm_zone_t& old : found) {
            if (view(old.shm.name) == view(zone.name) && old.shm.addr != nullptr) {
                return &old;
            }
        }
    }
    return nullptr;
}

// From a zone of this copy of the module that had another size, or from one of another copy, for nginx tells
// them apart by its address. Of that one nothing but the log is looked at, which may be laid out otherwise.
void takeOver(Zone& zone, const ngx_shm_zone_t& old, ngx_log_t* log) noexcept {
    const bool isThisCopys = old.tag == &ngx_http_sse_module;
    const std::span<std::byte> memory = findLog(old);
    const Log::Found found = Log::recognise(memory);
    if (found == Log::Found::Foreign && !isThisCopys) {
        return;
    }
    if (found != Log::Found::Ours) {
        zone.log.noteLoss();
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "sse_zone \"%V\" has lost its events: another version of the module laid them out",
                      &zone.name);
        return;
    }
    ZoneLock oldLock(old);
    ZoneLock lock(zone);
    Log oldLog = *Log::attach(memory);
    zone.log.takeOver(oldLog);
    ngx_log_error(NGX_LOG_NOTICE, log, 0, "sse_zone \"%V\" has taken over the events of %s", &zone.name,
                  isThisCopys ? "its old size" : "another copy of the module");
}

// Whether a process has ended. A child of ours that has not been waited for yet is still there for kill().
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

// Watches the holder of a lock that is not to be had. Frees the lock if the holder is gone; reports one that
// lives and does not let go, perhaps because it has been stopped: everybody waits for it then.
class HolderWatch {
public:
    HolderWatch(const ngx_shm_zone_t& shared, ngx_shmtx_t* mutex) noexcept : shared_(shared), mutex_(mutex) {}

    void look() noexcept {
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
    uint64_t since_ = 0; // when it was first seen
    uint64_t due_ = 0;   // the next report
};

// How often the lock is tried for before its waiter lets others have the processor, and before it sleeps in
// between. It is rarely held for longer than some microseconds, except by a master that carries over a large
// zone.
constexpr int kSpins = 100;
constexpr int kEagerAttempts = 1000;

// nginx's own waiting would sleep on a semaphore, which the dead do not post to.
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

ZoneLock::ZoneLock(const ngx_shm_zone_t& shared) noexcept
    : mutex_(&reinterpret_cast<ngx_slab_pool_t*>(shared.shm.addr)->mutex) {
    if (!ngx_shmtx_trylock(mutex_)) {
        waitForLock(shared, mutex_);
    }
}

ngx_uint_t defaultChannels(size_t zoneSize) noexcept {
    return std::clamp<ngx_uint_t>(zoneSize / 2048, 64, 1024 * 1024);
}

size_t expectedCapacity(size_t zoneSize, ngx_uint_t channels) noexcept {
    size_t taken = slabOverhead(zoneSize) + Log::overhead(static_cast<uint32_t>(channels));
    return zoneSize > taken + Log::kMinCapacity ? zoneSize - taken : 0;
}

ngx_int_t initZone(ngx_shm_zone_t* shared, void* old) noexcept {
    auto& zone = *static_cast<Zone*>(shared->data);
    bool laidOut = old != nullptr || shared->shm.exists;
    return laidOut ? attachLog(zone, shared->shm.log) : createLog(zone, shared->shm.log);
}

void takeOverZones(ngx_cycle_t* cycle, std::span<Zone* const> zones) noexcept {
    for (Zone* zone : zones) {
        const ngx_shm_zone_t* old = zone->isNew ? findOldZone(cycle, *zone) : nullptr;
        if (old != nullptr) {
            takeOver(*zone, *old, cycle->log);
        }
    }
}

} // namespace sse
