// Asks for a file again and again, as somebody would who has nothing to do with events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loop.hpp"

namespace bench {

// So many requests a second, for so many seconds, on one connection; how long each took, in nanoseconds, from
// when it was due: one that had to wait for the one before it counts from then, too.
std::vector<uint64_t> probe(Loop& loop, uint16_t port, const std::string& path, double rate, double duration);

} // namespace bench
