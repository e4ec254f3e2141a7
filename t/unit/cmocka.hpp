// cmocka for C++: what its header wants to see first, and C linkage. To be included behind the standard
// library, which has functions named like its macros (fail).
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
}
