// A body without end: one event a line, as many as the server takes.
#pragma once

#include <cstdint>
#include <string>

#include "loop.hpp"

namespace bench {

// Sends that many lines of that size in one request and returns how long it took until the answer, which has
// to count them, was there.
uint64_t publishLines(Loop& loop, uint16_t port, const std::string& path, uint64_t count, size_t size);

} // namespace bench
