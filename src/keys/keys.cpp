#include "keys/keys.hpp"

#include <sys/random.h>

#include "roster/registry.hpp"

namespace sse {

namespace {

// nginx-internal: core/ngx_slab.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the free pages of a new pool, `pfree`,
// can be had in one allocation.
ngx_int_t createTable(ngx_shm_zone_t* zone, ngx_slab_pool_t* pool) noexcept {
    const size_t length = pool->pfree * ngx_pagesize;
    auto* memory = static_cast<std::byte*>(ngx_slab_alloc(pool, length));
    SipKey key;
    if (memory == nullptr || getrandom(&key, sizeof(key), 0) != sizeof(key) ||
        !KeyTable::create({memory, length}, key)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, ngx_errno,
                      "the memory of \"sse_keys\" cannot be laid out");
        return NGX_ERROR;
    }
    zone->data = pool->data = memory;
    return NGX_OK;
}

// ngx_shm_zone_t::init. On reload the memory is still in use by the old workers: then nothing is written.
ngx_int_t initTable(ngx_shm_zone_t* zone, void* old) noexcept {
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    if (old == nullptr && !zone->shm.exists) {
        return createTable(zone, pool);
    }
    zone->data = pool->data;
    if (!KeyTable::isKnown(static_cast<const std::byte*>(zone->data))) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "the memory of \"sse_keys\" was laid out by another version of the module");
        return NGX_ERROR;
    }
    return NGX_OK;
}

} // namespace

ngx_shm_zone_t* Keys::addZone(ngx_conf_t* cf, size_t size) noexcept {
    ngx_str_t name = ngxString(kZoneName);
    ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_sse_module);
    if (zone != nullptr) {
        zone->init = initTable;
        zone->data = nullptr;
    }
    return zone;
}

void Keys::init(ngx_shm_zone_t* zone) noexcept {
    zone_ = zone;
    if (zone != nullptr) {
        table_ = KeyTable(static_cast<std::byte*>(zone->data), Registry::isAlive);
    }
}

// nginx-internal: os/unix/ngx_process.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): no two living processes of a master
// have the same ngx_process_slot.
std::optional<ShmLock> Keys::acquire() noexcept {
    std::optional<ShmLock> lock = ShmLock::acquire(*zone_, lockWatch_);
    if (lock && !table_.hasLife()) {
        table_.beginLife(static_cast<uint32_t>(ngx_process_slot), ngx_pid);
    }
    return lock;
}

} // namespace sse
