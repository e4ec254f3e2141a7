// The status as metrics for Prometheus.
#pragma once

#include "sse/buffer.hpp"
#include "status/figures.hpp"

namespace sse {

// The text format, version 0.0.4.
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// Appends all metrics; docs/reference.md describes them. false without memory; then `out` may contain a part
// of them.
bool writeMetrics(const Figures& figures, Buffer& out) noexcept;

} // namespace sse
