// The locks of shared memory, and with a zone's the right to write its log.
//
// A lock is the mutex of a slab pool, which nginx releases when a worker dies with it. But not always: the
// zone may be one that the newest configuration does not have, or has in another size, and then nginx has
// forgotten it while old workers still lock it; and a master that carries such a zone over cannot notice the
// death of a worker until it is done. So a waiting process looks by itself whether the holder is still there,
// and never sleeps on the mutex, from which nobody might wake it.
//
// A holder that lives and does not let go must not stop everybody else. A worker waits some milliseconds for
// one that has been stopped, and a second for any other; once, for as long as the holder is the same it only
// tries from then on. So an attempt may fail, and the caller says what happens then.
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
    // For as long as it takes: for the master, which has nothing else to do.
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
