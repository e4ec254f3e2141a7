#include "zone.hpp"

#include <algorithm>

#include <sys/random.h>
#include <time.h>

#include "log/take_over.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// What the slab pool takes for itself.
//
// nginx-internal: core/ngx_slab.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a descriptor for each page, and less than
// three pages for the rest.
size_t slabOverhead(size_t zoneSize) noexcept {
    return 3 * ngx_pagesize + zoneSize / ngx_pagesize * sizeof(ngx_slab_page_t);
}

// All free pages of the slab pool in one allocation: this header, then the log. The pool's `data` points to
// it. Other versions of the module find the log by this, so it never changes.
struct Arena {
    uint64_t length;
    uint64_t reserved[7];
};
static_assert(sizeof(Arena) == 64);

// The memory of the log in a zone; empty if there cannot be one. The zone may be another module's, so nothing
// in it is trusted.
std::span<std::byte> findLog(const ngx_shm_zone_t& shared) noexcept {
    const auto* pool = reinterpret_cast<const ngx_slab_pool_t*>(shared.shm.addr);
    const auto start = reinterpret_cast<uintptr_t>(shared.shm.addr);
    const auto place = reinterpret_cast<uintptr_t>(pool->data);
    const size_t offset = place - start; // huge if it lies before the zone
    if (place % alignof(Arena) != 0 || offset < sizeof(*pool) || offset > shared.shm.size - sizeof(Arena)) {
        return {};
    }
    auto* head = static_cast<Arena*>(pool->data);
    if (head->length > shared.shm.size - offset - sizeof(Arena)) {
        return {};
    }
    return {reinterpret_cast<std::byte*>(head + 1), head->length};
}

// The ids of a stream may be older than this process, and may come from another clock.
uint64_t birthOf(const Zone& zone) noexcept {
    return zone.bus == nullptr ? unixMilliseconds() : 0;
}

// nginx-internal: core/ngx_slab.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the free pages of a new pool, `pfree`,
// can be had in one allocation.
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
        uint64_t lineage;
    } random{};
    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "getrandom() for sse_zone \"%V\" failed", &zone.name);
        return NGX_ERROR;
    }

    auto* head = static_cast<Arena*>(memory);
    head->length = length - sizeof(Arena);
    std::optional<Log> made = Log::create({reinterpret_cast<std::byte*>(head + 1), head->length},
                                          static_cast<uint32_t>(zone.channels), random.key,
                                          1 + random.lineage % (kLineages - 1), birthOf(zone));
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

    uint32_t channels = zone.log.stats().channelCapacity;
    if (channels != zone.channels) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "sse_zone \"%V\" keeps its %uD channels until its size changes or nginx restarts",
                      &zone.name, channels);
    }
    return NGX_OK;
}

// The zone of the same name in the cycle that is being replaced, of any module; NULL if there is none.
//
// nginx-internal: core/ngx_cycle.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_init_cycle() frees old zones after
// the modules have been initialised.
const ngx_shm_zone_t* findOldZone(const ngx_cycle_t* cycle, const Zone& zone) noexcept {
    if (cycle->old_cycle == nullptr) {
        return nullptr;
    }
    for (const ngx_list_part_t* part = &cycle->old_cycle->shared_memory.part; part != nullptr;
         part = part->next) {
        std::span<const ngx_shm_zone_t> found(static_cast<const ngx_shm_zone_t*>(part->elts), part->nelts);
        for (const ngx_shm_zone_t& old : found) {
            if (toView(old.shm.name) == toView(zone.name) && old.shm.addr != nullptr) {
                return &old;
            }
        }
    }
    return nullptr;
}

// The lock is not fair: a process that waits for it would rarely hit the moment between two slices.
void letOthersHaveTheLock() noexcept {
    const timespec pause{.tv_sec = 0, .tv_nsec = 100'000};
    nanosleep(&pause, nullptr);
}

// Takes over from a zone of this copy of the module that had another size, or from a zone of another copy:
// nginx tells the two apart by the address of the module. Of another copy's zone only the log is looked at,
// and it may have another layout.
void takeOver(Zone& zone, const ngx_shm_zone_t& old, ngx_log_t* log) noexcept {
    const bool isThisCopys = old.tag == &ngx_http_sse_module;
    const std::span<std::byte> memory = findLog(old);
    const Log::Found found = Log::recognise(memory);
    if (found == Log::Found::Foreign && !isThisCopys) {
        return;
    }
    if (found != Log::Found::Ours) {
        ZoneLock::wait(*zone.shared, zone.log).log().noteLoss();
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "sse_zone \"%V\" has lost its events: another version of the module laid them out",
                      &zone.name);
        return;
    }
    const Log oldLog = *Log::attach(memory);
    ZoneLock lock = ZoneLock::wait(*zone.shared, zone.log);
    TakeOver(lock.log(), oldLog).run([&old, &oldLog](auto&& visit) noexcept {
        {
            ZoneLock oldLock = ZoneLock::wait(old, oldLog);
            visit(oldLock.log());
        }
        letOthersHaveTheLock();
    });
    ngx_log_error(NGX_LOG_NOTICE, log, 0, "sse_zone \"%V\" has taken over the events of %s", &zone.name,
                  isThisCopys ? "its old size" : "another copy of the module");
}

} // namespace

ngx_uint_t defaultChannels(size_t zoneSize) noexcept {
    return std::clamp<ngx_uint_t>(zoneSize / 2048, 64, 1024 * 1024);
}

size_t expectedCapacity(size_t zoneSize, ngx_uint_t channels) noexcept {
    size_t taken = slabOverhead(zoneSize);
    return zoneSize > taken ? Log::capacityIn(zoneSize - taken, static_cast<uint32_t>(channels)) : 0;
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
