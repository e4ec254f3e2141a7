// The key table in nginx's shared memory: sse_keys. nginx keeps it over a reload, as long as its size is the
// same.
#pragma once

#include <optional>

#include "keys/key_table.hpp"
#include "ngx.hpp"
#include "zone_lock.hpp"

namespace sse {

class Keys {
public:
    static constexpr std::string_view kZoneName = "sse_keys"; // of the shared memory
    static constexpr size_t kMinSize = 64 * 1024;
    static constexpr size_t kDefaultSize = 4 * 1024 * 1024;

    // While the configuration is read: asks nginx for the memory.
    static ngx_shm_zone_t* addZone(ngx_conf_t* cf, size_t size) noexcept;

    // In a worker: the table of its cycle; NULL if it needs none.
    void init(ngx_shm_zone_t* zone) noexcept;
    bool isUsed() const noexcept { return zone_ != nullptr; }

    // Nothing if the lock is not available.
    std::optional<ShmLock> acquire() noexcept;
    // Most calls need the lock.
    KeyTable& table() noexcept { return table_; }

private:
    ngx_shm_zone_t* zone_ = nullptr;
    LockWatch lockWatch_;
    KeyTable table_;
};

} // namespace sse
