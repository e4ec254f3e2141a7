// Asks for a file again and again, as somebody would who has nothing to do with events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loop.hpp"

namespace bench {

// That request so many times a second, for so many seconds, each when it is due and on a connection of its
// own if those before it have not been answered; how long each took, in nanoseconds, from when it was due.
std::vector<uint64_t> probe(Loop& loop, uint16_t port, const std::string& request, double rate,
                            double duration);

} // namespace bench
