// The status as JSON.
#pragma once

#include "sse/buffer.hpp"
#include "status/figures.hpp"

namespace sse {

// Appends the figures as one object and a line feed; docs/reference.md describes its members. false without
// memory; then `out` may contain a part of it.
bool writeStatus(const Figures& figures, Buffer& out) noexcept;

} // namespace sse
