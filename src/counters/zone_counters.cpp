#include "counters/zone_counters.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace sse {

namespace {

// nginx-internal: core/ngx_slab.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): an allocation larger than a page gets
// whole pages, aligned to them. Places that no worker has had are not touched, so they take no memory.
ngx_int_t initMemory(ngx_shm_zone_t* shared, void* old) noexcept {
    auto& zone = *static_cast<Zone*>(shared->data);
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(shared->shm.addr);
    if (old == nullptr && !shared->shm.exists) {
        void* memory = ngx_slab_alloc(pool, sizeof(CounterMemory));
        if (memory != nullptr) {
            static_cast<CounterMemory*>(memory)->used.store(0);
        }
        pool->data = memory;
    }
    zone.counterMemory = static_cast<CounterMemory*>(pool->data);
    return zone.counterMemory == nullptr ? NGX_ERROR : NGX_OK;
}

ngx_str_t memoryName(ngx_pool_t* pool, const Zone& zone) noexcept {
    const size_t length = kCounterMemory.size() + zone.name.len;
    auto* text = static_cast<u_char*>(ngx_pnalloc(pool, length + 1));
    if (text != nullptr) {
        *ngx_cpymem(ngx_cpymem(text, kCounterMemory.data(), kCounterMemory.size()), zone.name.data,
                    zone.name.len) = '\0';
    }
    return {length, text};
}

} // namespace

bool addCounters(ngx_conf_t* cf, Zone& zone) noexcept {
    ngx_str_t name = memoryName(cf->pool, zone);
    void* homeless = ngx_pmemalign(cf->pool, sizeof(ZoneCounters), alignof(ZoneCounters));
    if (name.data == nullptr || homeless == nullptr) {
        return false;
    }
    zone.counters = zone.homeless = new (homeless) ZoneCounters{};
    // The rest is for the slab pool itself: a descriptor for each page, and some pages.
    const size_t size = sizeof(CounterMemory) + sizeof(CounterMemory) / 64 + 16 * ngx_pagesize;
    ngx_shm_zone_t* shared = ngx_shared_memory_add(cf, &name, size, &ngx_http_sse_module);
    if (shared == nullptr) {
        return false;
    }
    shared->init = initMemory;
    shared->data = &zone;
    return true;
}

void countAt(Zone& zone, uint32_t place) noexcept {
    CounterMemory& memory = *zone.counterMemory;
    for (uint32_t used = memory.used.load(); used <= place; ++used) {
        std::memset(static_cast<void*>(&memory.places[used]), 0, sizeof(ZoneCounters));
    }
    ZoneCounters& counters = memory.places[place];
    counters.closeCrashed();
    if (zone.counters == zone.homeless) {
        counters.addAll(*zone.homeless);
    } else {
        counters.takeOpenOf(*zone.counters);
    }
    memory.used.store(std::max(memory.used.load(), place + 1), std::memory_order_release);
    zone.counters = &counters;
}

} // namespace sse
