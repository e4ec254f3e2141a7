// A counter in shared memory.
#pragma once

#include <atomic>
#include <cstdint>

namespace sse {

// A number that only its owner changes and that any process may read. So it needs no locked instruction.
class Counter {
public:
    void add(uint64_t count = 1) noexcept { value_.store(value() + count, std::memory_order_relaxed); }
    void subtract(uint64_t count) noexcept { add(~count + 1); }
    uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> value_;
};
static_assert(sizeof(Counter) == sizeof(uint64_t) && std::atomic<uint64_t>::is_always_lock_free);

} // namespace sse
