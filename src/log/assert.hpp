// SSE_ASSERT(condition): the condition must hold unless other code has damaged the memory. Test builds, with
// -DSSE_ASSERTIONS (sanitizers, fuzzing) or -DSSE_FAULTS, abort where it does not hold, and say where; other
// builds do not even evaluate it.
//
// It is for what this code itself guarantees. Mistakes of a caller, and damage in shared memory, are checked
// and handled in every build.
#pragma once

#if defined(SSE_ASSERTIONS) || defined(SSE_FAULTS)

#include <cstdio>
#include <cstdlib>

namespace sse {

[[noreturn]] inline void assertionFailed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    std::abort();
}

} // namespace sse

#define SSE_ASSERT(condition)                                                                                \
    (static_cast<bool>(condition) ? static_cast<void>(0)                                                     \
                                  : ::sse::assertionFailed(#condition, __FILE__, __LINE__))

#else

#define SSE_ASSERT(condition) static_cast<void>(sizeof(static_cast<bool>(condition)))

#endif
