// How the load generator talks to the driver: a command a line in, an answer a line out.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace bench {

// Answers that the command has failed, and ends: whatever was measured would be wrong.
[[noreturn, gnu::format(printf, 1, 2)]] inline void die(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::fputs("error ", stdout);
    std::vprintf(format, arguments);
    std::puts("");
    std::fflush(stdout);
    std::exit(1);
}

} // namespace bench
