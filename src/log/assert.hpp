// SSE_ASSERT(condition): what must hold here if nobody else has written to the memory. Builds for tests, with
// -DSSE_ASSERTIONS (sanitizers, fuzzing) or -DSSE_FAULTS, abort where it does not, and say where; others do
// not even compute it.
//
// It is for what this code promises itself. What a caller may do wrong, and what may have been spoilt in
// shared memory, is checked in every build and answered.
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
