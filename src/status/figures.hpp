// The figures of the status: the counters of zones and workers, as plain numbers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "conf/config.hpp"
#include "counters/counts.hpp"
#include "log/log.hpp"
#include "roster/registry.hpp"
#include "status/top.hpp"

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
    uint64_t age; // of the oldest event in milliseconds; 0: there is none
    std::optional<BusFigures> bus;
    ZoneSums sums;                                     // of all workers so far, those that have gone included
    std::array<uint64_t, kKinds<SubscriberKind>> open; // streams and polls now
    const ZoneTop* top = nullptr;                      // if it is asked for
};

// Of a worker; but its place outlives it, and the counters with it.
struct WorkerFigures {
    uint32_t place; // the number of its entry in the roster
    int64_t pid;
    bool isAlive;
    bool isDraining;
    uint64_t subscribers; // now, as are connections
    uint64_t connections;
    uint64_t mostConnections;
    uint64_t wakeUpsSent;
    uint64_t wakeUpsReceived;
    uint64_t turns;
    uint64_t turnTime; // nanoseconds
    // In all zones together.
    uint64_t delivered; // events, counted once for each subscriber
    uint64_t gaps;
    uint64_t slowCloses;
    uint64_t repairs;
};

// Each figure was true at some moment, not all at the same one.
struct Figures {
    // Those that the location names, or all, in the order of the configuration.
    std::span<const ZoneFigures> zones;
    std::span<const WorkerFigures> workers; // of all places that have ever been used
};

// Collects what the location asks for. Arrays are in `pool`; names belong to the configuration. `tops`: of
// these zones in their order, or empty. Nothing without memory.
std::optional<Figures> collectFigures(const MainConfig& main, const LocationConfig& config,
                                      const Registry& registry, ngx_pool_t* pool,
                                      std::span<const ZoneTop> tops = {}) noexcept;

} // namespace sse
