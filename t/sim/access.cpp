// The compiler turns every memory access in src/log into a call (-fsanitize=thread). This file defines the
// called functions in place of ThreadSanitizer: each access to a shared log is a step. With another sanitizer
// only the places of log/fault.hpp are steps.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "scheduler.hpp"

using sse::sim::scheduler;

// --- What the instrumented code calls ---

#define ACCESS(size)                                                                                         \
    void __tsan_read##size(void* p) {                                                                        \
        scheduler.onAccess(p);                                                                               \
    }                                                                                                        \
    void __tsan_write##size(void* p) {                                                                       \
        scheduler.onAccess(p);                                                                               \
    }                                                                                                        \
    void __tsan_unaligned_read##size(void* p) {                                                              \
        scheduler.onAccess(p);                                                                               \
    }                                                                                                        \
    void __tsan_unaligned_write##size(void* p) {                                                             \
        scheduler.onAccess(p);                                                                               \
    }

#define ATOMIC(bits)                                                                                         \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t* p, int) {                       \
        scheduler.onAccess(const_cast<const uint##bits##_t*>(p));                                            \
        return *p;                                                                                           \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t* p, uint##bits##_t value, int) {                \
        scheduler.onAccess(const_cast<const uint##bits##_t*>(p));                                            \
        *p = value;                                                                                          \
    }

extern "C" {
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
ATOMIC(32)
ATOMIC(64)
void __tsan_read_range(void* p, unsigned long) {
    scheduler.onAccess(p);
}
void __tsan_write_range(void* p, unsigned long) {
    scheduler.onAccess(p);
}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}

// memcpy() is not instrumented; the linker redirects its callers to this function (--wrap). It copies in
// several steps, between which other processes can see half of the copy.
void* __real_memcpy(void* to, const void* from, size_t length);
void* __wrap_memcpy(void* to, const void* from, size_t length) {
    if (!scheduler.isShared(to) && !scheduler.isShared(from)) {
        return __real_memcpy(to, from, length);
    }
    const size_t piece = length / 4 / 8 * 8 + 8;
    for (size_t at = 0; at < length; at += piece) {
        scheduler.onStep(nullptr);
        __real_memcpy(static_cast<char*>(to) + at, static_cast<const char*>(from) + at,
                      std::min(piece, length - at));
    }
    return to;
}

// Newer versions of clang call these.
void* __tsan_memcpy(void* to, const void* from, size_t length) {
    return __wrap_memcpy(to, from, length);
}
void* __tsan_memmove(void* to, const void* from, size_t length) {
    scheduler.onAccess(to);
    return std::memmove(to, from, length);
}
void* __tsan_memset(void* to, int value, size_t length) {
    scheduler.onAccess(to);
    return std::memset(to, value, length);
}
}
