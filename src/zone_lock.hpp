// The locks of shared memory, and with a zone's lock the right to write its log.
#pragma once

#include "log/writer.hpp"
#include "ngx.hpp"
#include "zone.hpp"

namespace sse {

// Holds the mutex of a slab pool in shared memory. A waiting process checks whether the holder is still
// there, and never sleeps on the mutex, from which nothing might wake it. A holder that lives and keeps the
// lock for seconds is reported.
//
// nginx-internal: os/unix/ngx_process.c (1.22.1, 1.26.3, 1.30.4): nginx releases the mutex when a worker dies
// with it, but not always (ngx_unlock_mutexes). A zone that the newest configuration does not have, or has in
// another size, is forgotten while old workers still lock it; and a master that carries such a zone over
// cannot notice the death of a worker until it is done.
class ShmLock {
public:
    explicit ShmLock(const ngx_shm_zone_t& shared) noexcept;
    ~ShmLock() { ngx_shmtx_unlock(mutex_); }
    ShmLock(const ShmLock&) = delete;
    ShmLock& operator=(const ShmLock&) = delete;

private:
    ngx_shmtx_t* mutex_;
};

// The same for the memory of a log: the holder is the log's only writer.
class ZoneLock {
public:
    explicit ZoneLock(const Zone& zone) noexcept : ZoneLock(*zone.shared, zone.log) {}
    // `log` is the log in that memory.
    ZoneLock(const ngx_shm_zone_t& shared, const Log& log) noexcept : lock_(shared), writer_(log) {}

    LogWriter& log() noexcept { return writer_; }

private:
    ShmLock lock_;
    LogWriter writer_;
};

} // namespace sse
