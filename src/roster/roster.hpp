// The roster: the workers, in shared memory, and the listener id by which the index of channels knows each.
//
// There is an entry for each worker process of any generation: its pid, the flag that keeps wake-ups to one
// write per batch, and its counters. The index has 128 listener ids. Each entry below kExclusiveIds has an id
// to itself, equal to its number; the workers in entries from kMaxListeners on share an id, and move to an
// entry with an exclusive id when one becomes free.
//
// No worker can remove a shared id from a channel, because another worker may listen there as well. So there
// are two shared ids, which take turns. A new worker gets the current one. When they are turned over, the
// workers with the other one add the current id to their channels. Once no worker has the other id, it is
// cleared from the whole index and may have its turn again. An id that a worker may begin to use meanwhile is
// not cleared: a worker begins only with the current id, and that is never cleared. The two entries between
// the others stand for the shared ids: such an entry is free while its id is on no channel.
//
// Knows no nginx. All of it is called with the roster's lock held, unless stated otherwise. A worker that
// dies in between, with the lock or without, leaves only what takeLeftBehind() finds.
#pragma once

#include <atomic>
#include <cstdint>

#include "log/layout.hpp"
#include "roster/counter.hpp"

namespace sse {

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): two cache lines, see below
struct alignas(64) WorkerEntry {
    std::atomic<int64_t> pid;   // 0: free
    std::atomic<int64_t> slot;  // of that process in nginx's table
    std::atomic<uint32_t> held; // not to be used yet: its id is being cleared, or added to channels
    std::atomic<uint32_t> listenerId;
    std::atomic<uint32_t> pending; // woken, and has not looked yet
    // Written only by the worker itself: not in the cache line that others write to wake it.
    alignas(64) std::atomic<uint32_t> subscribers;
    std::atomic<uint32_t> draining;    // it is leaving
    std::atomic<uint32_t> connections; // of nginx that it uses, updated now and then
    std::atomic<uint32_t> mostConnections;
    Counter wakeUpsSent; // these stay when the entry is reused
    Counter wakeUpsReceived;
    Counter turns;
    Counter turnTime; // nanoseconds
};
static_assert(sizeof(WorkerEntry) == 128);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// Valid when all zeros.
struct RosterMemory {
    // nginx-internal: os/unix/ngx_process.h (1.22.1, 1.26.3, 1.30.4, 1.31.4): there are at most 1024
    // processes (NGX_MAX_PROCESSES), so each finds an entry.
    static constexpr uint32_t kCapacity = kMaxListeners + 1024;

    alignas(64) std::atomic<uint32_t> turn; // odd: the second of the shared ids is the current one
    std::atomic<uint32_t> used;             // entries from kMaxListeners on that have been used
    std::atomic<uint64_t> turnedAt;         // milliseconds
    WorkerEntry entries[kCapacity];
};

class Roster {
public:
    static constexpr uint32_t kExclusiveIds = kExclusiveListeners;
    // How often the shared ids are turned over while the index is crowded, in milliseconds.
    static constexpr uint64_t kTurnTime = 5000;

    struct Process {
        int64_t pid;
        int64_t slot;
        bool (*isAlive)(int64_t pid) noexcept;
    };

    // What has to be cleaned up.
    struct LeftBehind {
        ListenerSet listenerIds{}; // to be cleared from the index of all zones, then given back by cleared()
        bool counts = false;       // the subscribers of a dead worker are still counted
        bool has(uint32_t id) const noexcept {
            return id < kMaxListeners && (listenerIds[id / 64] >> id % 64 & 1) != 0;
        }
        bool any() const noexcept { return counts || listenerIds != ListenerSet{}; }
    };

    Roster() = default;
    Roster(RosterMemory& memory, const Process& self) noexcept : memory_(&memory), self_(self) {}

    // Takes an entry for this process, and takes over what others have left behind.
    LeftBehind claim() noexcept;
    // Later: takes over what has been left behind since. No other worker gets the same.
    LeftBehind takeLeftBehind() noexcept;
    bool someLeftBehind() const noexcept; // whether that is worth a call; needs no lock
    void cleared(const LeftBehind& left) noexcept;

    // At the end. A worker that is forced to exit while it has subscribers leaves its entry to be found, like
    // that of a dead one.
    void release() noexcept;

    // For a worker whose listener id is shared: returns a better one if there is any, otherwise
    // kMaxListeners. The better one must be added to all of its channels; then finishChange() follows. Only a
    // worker that stays gets an exclusive one.
    uint32_t beginChange(bool stays) noexcept;
    void finishChange() noexcept;
    bool wantsChange(bool stays) const noexcept; // needs no lock

    // Gives the other shared id its turn: when no worker uses the current one any more, or from time to time
    // if the index is `crowded`.
    void turnOver(bool crowded, uint64_t now) noexcept;
    bool wantsTurn(bool crowded, uint64_t now) const noexcept; // needs no lock

    // The rest needs no lock.

    bool hasEntry() const noexcept { return index_ != kNoEntry; }
    uint32_t index() const noexcept { return index_; }
    WorkerEntry& at(uint32_t index) const noexcept { return memory_->entries[index]; }
    // The number of entries that are or have been in use: those above are free.
    uint32_t entryCount() const noexcept { return kMaxListeners + memory_->used.load(); }

    // The id by which the index knows this worker; kMaxListeners without an entry.
    uint32_t listenerId() const noexcept { return hasEntry() ? at(index_).listenerId.load() : kMaxListeners; }
    static bool isShared(uint32_t id) noexcept { return id >= kExclusiveIds && id < kMaxListeners; }

    // Whether the entry belongs to a living worker.
    bool isWorker(uint32_t index) const noexcept;

    // Calls visit(index) for each worker of that set.
    template <typename F>
    void eachWorkerOf(const ListenerSet& workers, F&& visit) const noexcept {
        for (uint32_t word = 0; word < workers.size(); ++word) {
            for (uint64_t bits = workers[word]; bits != 0; bits &= bits - 1) {
                uint32_t id = word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits));
                isShared(id) ? eachSharing(id, visit) : visit(id);
            }
        }
    }

private:
    template <typename F>
    void eachSharing(uint32_t id, F&& visit) const noexcept {
        for (uint32_t i = kMaxListeners; i < entryCount(); ++i) {
            if (at(i).pid.load() != 0 && at(i).listenerId.load() == id) {
                visit(i);
            }
        }
    }

    uint32_t currentSharedId() const noexcept { return kExclusiveIds + memory_->turn.load() % 2; }
    uint32_t otherSharedId() const noexcept { return kExclusiveIds + (memory_->turn.load() + 1) % 2; }
    bool isUsed(uint32_t sharedId) const noexcept;
    bool isLeftBehind(uint32_t index) const noexcept;
    uint32_t findFree(uint32_t from, uint32_t until) const noexcept;
    uint32_t useCurrentSharedId() noexcept;
    void occupy(uint32_t index, uint32_t listenerId, bool held) noexcept;

    RosterMemory* memory_ = nullptr;
    Process self_{};
    uint32_t index_ = kNoEntry;
    uint32_t next_ = kMaxListeners; // the listener id of a change that has begun
};

} // namespace sse
