// The figures of the status: the counters of zones and workers, as plain numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "conf/config.hpp"
#include "log/log.hpp"
#include "roster/registry.hpp"

namespace sse {

// The bus of a zone, as this machine sees it.
struct BusFigures {
    bool isUp = false; // connected, filled, and something comes through
    bool isConnected = false;
    bool isFilled = false;
    uint64_t deadSince = 0;  // milliseconds since 1970; 0: it is alive
    std::string_view master; // its address
    uint64_t lineage = 0;    // 0: none yet
    EventId position; // the entry up to which the stream has been read, by its id there; zero: none yet
    uint64_t lag = 0; // milliseconds that the newest probe was on its way
    // Of this machine, since nginx started.
    uint64_t entries = 0;
    uint64_t skipped = 0;
    uint64_t breaks = 0;
    uint64_t reconnects = 0;
    uint64_t lives = 0;
    uint64_t published = 0;
    uint64_t refused = 0;
    uint64_t unknown = 0;
};

struct ZoneFigures {
    std::string_view name;
    LogStats log;
    std::optional<BusFigures> bus;
};

struct WorkerCounters {
    uint64_t subscribers = 0; // now; the others count since nginx started
    uint64_t delivered = 0;   // events, counted once for each subscriber
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
    // Those that the location names, or all, in the order of the configuration.
    std::span<const ZoneFigures> zones;
    std::span<const WorkerFigures> workers; // those that are alive
    // Of all workers so far: counters stay with an entry when its worker has gone, so they only grow.
    // Subscribers are those of living workers.
    WorkerCounters total;
};

// Collects what the location asks for. Arrays are in `pool`; names belong to the configuration. Nothing
// without memory.
std::optional<Figures> collectFigures(const MainConfig& main, const LocationConfig& config,
                                      const Registry& registry, ngx_pool_t* pool) noexcept;

} // namespace sse
