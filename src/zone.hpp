// A zone: one nginx shared-memory zone that holds one log.
#pragma once

#include <algorithm>
#include <atomic>

#include "log/log.hpp"
#include "ngx.hpp"

namespace sse {

// What a process knows of the holder of a lock that it could not get.
struct LockWatch {
    ngx_pid_t holder = 0;   // 0: not known
    int naps = 0;           // how often this process has slept because of that holder
    bool isStopped = false; // at the last check
    uint64_t since = 0;     // when it was first seen, in milliseconds of the monotonic clock
    uint64_t due = 0;       // when it is to be reported next
};

struct BusConfig;
struct CounterMemory;
struct ZoneCounters;

// Lives in the configuration pool. Every cycle has its own zone; they share the log.
struct Zone {
    ngx_str_t name;
    size_t size;
    ngx_uint_t channels; // capacity of the index
    ngx_shm_zone_t* shared;
    bool isNew;           // made by this cycle, not found
    const BusConfig* bus; // the stream that is its log; NULL: it has none
    // Of the bus: not zero once the log has what the stream had. NULL without a bus.
    const std::atomic<uint32_t>* filled;
    Log log; // for readers; valid once nginx has initialised the zone. Writers: zone_lock.hpp
    mutable LockWatch lockWatch;
    CounterMemory* counterMemory; // counters/zone_counters.hpp; valid when the log is
    ZoneCounters* counters;       // where this process counts
    ZoneCounters* homeless;       // where it counts while it has no place in that memory

    ngx_slab_pool_t* pool() const noexcept { return reinterpret_cast<ngx_slab_pool_t*>(shared->shm.addr); }
};

// Whether the log has the events that it starts with. A log that is the copy of a stream does not have them
// at first. Until it has them, it cannot tell what a client has missed, nor whether a channel is absent or
// has ended. A decision under the zone's lock holds if this is true under the lock.
inline bool isFilled(const Zone& zone) noexcept {
    return zone.filled == nullptr || zone.filled->load(std::memory_order_acquire) != 0;
}

// The smallest size of a shared memory that needs `bytes` where pages are small. A slab pool of a few pages
// has no room for anything but itself, so nginx, too, requires eight pages wherever a size is configured.
inline size_t leastSize(size_t bytes) noexcept {
    return std::max(bytes, 8 * ngx_pagesize);
}

inline constexpr size_t kMinZoneSize = 256 * 1024; // where pages are small

// Channels of a zone whose directive gives no number: an index of about 4% of the zone.
ngx_uint_t defaultChannels(size_t zoneSize) noexcept;

// Bytes of the ring that a zone of this size will have, 0 if the index leaves none.
size_t expectedCapacity(size_t zoneSize, ngx_uint_t channels) noexcept;

// ngx_shm_zone_t::init. On reload the memory is still in use by the old workers: then nothing is written.
ngx_int_t initZone(ngx_shm_zone_t* shared, void* old) noexcept;

// Carries over the contents of old zones that have the same names but other sizes, or that belong to another
// copy of the module. Called in the master, once the new configuration is certain and before its workers
// start. The old workers go on meanwhile, but from some point on they can no longer publish to those zones.
void takeOverZones(ngx_cycle_t* cycle, std::span<Zone* const> zones) noexcept;

} // namespace sse
