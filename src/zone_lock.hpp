// The locks of shared memory. The lock of a zone gives the right to write to its log.
//
// A lock is the mutex of a slab pool. nginx releases it when a worker that holds it dies, but not always. If
// the newest configuration does not have the zone, or has it in another size, nginx has forgotten the zone
// while old workers still lock it. And a master that carries such a zone over cannot notice the death of a
// worker until it is done. So a waiting process checks by itself whether the holder is still there, and never
// sleeps on the mutex, where nothing might wake it.
//
// A holder that is alive but does not let go must not stop all other processes. A worker waits some
// milliseconds for a holder that has been stopped, and a second for any other. It does so once: after that it
// only tries without waiting, as long as the holder is the same. So an attempt may fail, and the caller
// decides what happens then.
#pragma once

#include <optional>
#include <utility>

#include "log/writer.hpp"
#include "ngx.hpp"
#include "zone.hpp"

namespace sse {

class ShmLock {
public:
    // Nothing if its holder does not let go.
    [[nodiscard]] static std::optional<ShmLock> acquire(const ngx_shm_zone_t& shared,
                                                        LockWatch& watch) noexcept;
    // Waits for as long as it takes: for the master, which has nothing else to do.
    [[nodiscard]] static ShmLock wait(const ngx_shm_zone_t& shared) noexcept;

    ShmLock(ShmLock&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    ShmLock& operator=(ShmLock&&) = delete;
    ~ShmLock() {
        if (mutex_ != nullptr) {
            ngx_shmtx_unlock(mutex_);
        }
    }

private:
    explicit ShmLock(ngx_shmtx_t* mutex) noexcept : mutex_(mutex) {}

    ngx_shmtx_t* mutex_;
};

// The same for the memory of a log: the holder is the log's only writer.
class ZoneLock {
public:
    [[nodiscard]] static std::optional<ZoneLock> acquire(const Zone& zone) noexcept;
    // `log` is the one in that memory.
    [[nodiscard]] static ZoneLock wait(const ngx_shm_zone_t& shared, const Log& log) noexcept {
        return {ShmLock::wait(shared), log};
    }

    ZoneLock(ZoneLock&& other) noexcept
        : lock_(std::move(other.lock_)), writer_(static_cast<const Log&>(other.writer_)) {}
    ZoneLock& operator=(ZoneLock&&) = delete;
    ~ZoneLock() = default;

    LogWriter& log() noexcept { return writer_; }

private:
    ZoneLock(ShmLock&& lock, const Log& log) noexcept : lock_(std::move(lock)), writer_(log) {}

    ShmLock lock_;
    LogWriter writer_;
};

} // namespace sse
