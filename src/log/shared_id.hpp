// An event id in shared memory.
#pragma once

#include <atomic>
#include <cstdint>

#include "log/event_id.hpp"
#include "log/fault.hpp"

namespace sse {

using SharedWord = std::atomic<uint64_t>;
static_assert(SharedWord::is_always_lock_free);

// An id that readers may load without the lock and that the death of a writer cannot leave torn: there are
// two slots, and the lowest bit of a version says which one counts.
class SharedId {
public:
    EventId load() const noexcept {
        for (;;) {
            const uint64_t version = version_.load(std::memory_order_acquire);
            const Slot& slot = slots_[version % 2];
            const EventId id{slot.milliseconds.load(std::memory_order_relaxed),
                             slot.sequence.load(std::memory_order_relaxed)};
            std::atomic_thread_fence(std::memory_order_acquire);
            if (version_.load(std::memory_order_relaxed) == version) {
                return id;
            }
        }
    }

    // For the one writer at a time.
    void store(EventId id) noexcept {
        const uint64_t version = version_.load(std::memory_order_relaxed) + 1;
        Slot& slot = slots_[version % 2];
        std::atomic_thread_fence(std::memory_order_release);
        slot.milliseconds.store(id.milliseconds, std::memory_order_relaxed);
        faultPoint("id: half written");
        slot.sequence.store(id.sequence, std::memory_order_relaxed);
        version_.store(version, std::memory_order_release);
    }

    void raise(EventId id) noexcept {
        if (id > load()) {
            store(id);
        }
    }

private:
    struct Slot {
        SharedWord milliseconds;
        SharedWord sequence;
    };

    Slot slots_[2]{};
    SharedWord version_{0};
};

} // namespace sse
