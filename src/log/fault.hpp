// The places at which a writer may be killed, so that a test can kill it at each of them.
#pragma once

#include <atomic>

namespace sse {

#ifdef SSE_FAULTS
// Set by a test; called with the name of the place. It dies by not returning (longjmp): nothing that a writer
// has on its stack there needs a destructor.
inline void (*faultHook)(const char* place) = nullptr;
#endif

// All stores above have been made before any below. Against the death of the process it is enough that the
// compiler keeps them apart: what was stored stays, in the order of the program.
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
