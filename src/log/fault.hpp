// The places where a writer may be killed, so that a test can kill it at each of them.
#pragma once

#include <atomic>

namespace sse {

#ifdef SSE_FAULTS
// Set by a test; called with the name of the place. To simulate death it does not return (longjmp): nothing
// on the writer's stack needs a destructor there.
inline void (*faultHook)(const char* place) = nullptr;
#endif

// All stores above happen before any below. For the death of a process it is enough that the compiler does
// not reorder them: what has been stored stays, in program order.
inline void faultPoint([[maybe_unused]] const char* place) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
#ifdef SSE_FAULTS
    if (faultHook != nullptr) {
        faultHook(place);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
#endif
}

} // namespace sse
