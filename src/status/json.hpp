// The status as JSON.
#pragma once

#include "sse/buffer.hpp"
#include "status/figures.hpp"

namespace sse {

// Appends the figures as one object and a line feed; README.md says what its members mean. false without
// memory: then a part of it may be in `out`.
bool writeStatus(const Figures& figures, Buffer& out) noexcept;

} // namespace sse
