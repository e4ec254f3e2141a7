// The places where a writer may be killed, so that a test can kill it at each of them.
#pragma once

#include <atomic>

namespace sse {

#ifdef SSE_FAULTS
// Set by a test; called with the name of the place. To die it does not return (longjmp): nothing on a
// writer's stack there needs a destructor.
inline void (*faultHook)(const char* place) = nullptr;
#endif

// All stores above happen before any below. Against the death of a process it is enough that the compiler
// does not reorder them: what has been stored stays, in program order.
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
