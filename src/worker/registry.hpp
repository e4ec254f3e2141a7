// The registry: who the workers are, in shared memory, and how each is woken.
//
// An entry per worker process of any generation: its pid, the flag that keeps wake-ups to one write per
// batch, and its counters. The eventfds are made by the master before the first fork, so that every
// generation has them all.
#pragma once

#include <atomic>

#include "log/index.hpp"
#include "ngx.hpp"

namespace sse {

struct alignas(64) WorkerEntry {
    std::atomic<int64_t> pid;      // 0: free
    std::atomic<int64_t> slot;     // ngx_process_slot of that process
    std::atomic<uint32_t> pending; // woken and not yet looked
    std::atomic<uint32_t> subscribers;
    std::atomic<uint64_t> delivered; // these three only grow, and stay when the entry changes hands
    std::atomic<uint64_t> gaps;
    std::atomic<uint64_t> slowCloses;
};
static_assert(sizeof(WorkerEntry) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

class Registry {
public:
    static constexpr uint32_t kSharedMark = kMaxWorkers - 1;

    // While the configuration is read: asks nginx for the zone that holds the entries.
    static ngx_shm_zone_t* addZone(ngx_conf_t* cf) noexcept;

    // In the master, before the fork: makes the eventfds that are not there yet. What fails is logged; a
    // worker without one looks at the log by a short timer instead.
    static void makeEventfds(ngx_cycle_t* cycle) noexcept;

    // One more, for a worker that found none of these; -1 after an error, which is logged.
    static int makeEventfd(ngx_log_t* log) noexcept;

    // In a worker: takes an entry for this process, and those of workers that died. Those are ours, so that
    // nobody else may take them, until what these workers have left in the index of the zones is cleared
    // away, and each is given back by cleared(). Returns their marks.
    WorkerSet claim(ngx_shm_zone_t* zone, ngx_log_t* log) noexcept;
    // Later: the same for those that have died since.
    WorkerSet claimDead() noexcept;
    void cleared(uint32_t worker) noexcept;

    // At the end. A worker that is made to end with subscribers leaves its entry to be found like that of a
    // dead one.
    void release() noexcept;

    bool hasEntry() const noexcept { return index_ != kNoEntry; }
    // By which this worker is marked as a listener in the index of channels. The last one stands for all
    // workers that found no entry.
    uint32_t mark() const noexcept { return hasEntry() ? index_ : kSharedMark; }
    // Of this worker; of a private stand-in for a worker that found no entry free.
    WorkerEntry& own() noexcept { return hasEntry() ? entries_[index_] : spare_; }
    // By which others wake this worker; -1 if they cannot.
    int eventfd() const noexcept;

    // Wakes the workers of that set, except this one. Returns whether this one was among them.
    bool wake(const WorkerSet& workers) noexcept;
    void wakeAll() noexcept;

    // For the status page.
    static uint32_t capacity() noexcept { return kSharedMark; }
    const WorkerEntry& at(uint32_t index) const noexcept { return entries_[index]; }
    static bool isAlive(const WorkerEntry& entry) noexcept;

private:
    void signal(uint32_t worker) noexcept;
    bool isLeftBehind(uint32_t worker) const noexcept;
    void take(uint32_t worker) noexcept;
    WorkerSet takeLeftBehind() noexcept;

    WorkerEntry* entries_ = nullptr;
    ngx_shmtx_t* mutex_ = nullptr;
    uint32_t index_ = kNoEntry;
    WorkerEntry spare_{};
};

} // namespace sse
