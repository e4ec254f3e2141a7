// The figures of the status: what the zones and the workers have counted, as plain numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "conf/config.hpp"
#include "log/log.hpp"
#include "roster/registry.hpp"

namespace sse {

struct ZoneFigures {
    std::string_view name;
    LogStats log;
};

struct WorkerCounters {
    uint64_t subscribers = 0; // at present; the rest counts from the start of nginx
    uint64_t delivered = 0;   // events, each once for each subscriber
    uint64_t gaps = 0;
    uint64_t slowCloses = 0;
    uint64_t repairs = 0;
};

struct WorkerFigures {
    int64_t pid;
    WorkerCounters counters;
};

// Each figure was true at some moment, not all at the same one.
struct Figures {
    std::span<const ZoneFigures> zones;     // those that the location names, or all, as they are configured
    std::span<const WorkerFigures> workers; // those that are alive
    // Of all that there have been: counters stay with an entry when its worker has gone, so they only grow.
    // Subscribers are the living workers'.
    WorkerCounters total;
};

// Collects what the location asks for. Arrays are in `pool`, names are the configuration's. Nothing without
// memory.
std::optional<Figures> collectFigures(const MainConfig& main, const LocationConfig& config,
                                      const Registry& registry, ngx_pool_t* pool) noexcept;

} // namespace sse
