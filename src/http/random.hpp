// Numbers that no other machine and no other process draws.
#pragma once

#include <sys/random.h>

#include "ngx.hpp"

namespace sse {

// Any number. If the system has none to give, for example early after its start, a number that is unlikely to
// occur again.
inline uint64_t randomNumber() noexcept {
    uint64_t number = 0;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
        number = static_cast<uint64_t>(ngx_random()) << 32 ^ static_cast<uint64_t>(ngx_pid);
    }
    return number;
}

} // namespace sse
