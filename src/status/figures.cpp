#include "status/figures.hpp"

#include <algorithm>
#include <new>
#include <numeric>

#include "bus/bus_fault.hpp"
#include "conf/bus_config.hpp"
#include "counters/zone_counters.hpp"

namespace sse {

namespace {

BusFigures figuresOf(const BusConfig& config) noexcept {
    const BusState& state = *config.state;
    const size_t address = state.address.load();
    return {
        .isUp = faultOf(state) == BusFault::None,
        .isConnected = state.connected.load() != 0,
        .isFilled = state.isFilled.load() != 0,
        .deadSince = state.deadSince.load(),
        .master = address < config.addresses.size() ? toView(config.addresses[address].text) : "",
        .lineage = state.lineage.load(),
        .position = state.handled.load(),
        .lag = state.lag.load(),
        .entries = state.entries.load(),
        .skipped = state.skipped.load(),
        .breaks = state.breaks.load(),
        .reconnects = state.reconnects.load(),
        .lives = state.lives.load(),
        .published = state.published.load(),
        .refused = state.refused.load(),
        .unknown = state.unknown.load(),
    };
}

ZoneFigures figuresOf(const Zone& zone) noexcept {
    ZoneFigures figures{};
    figures.name = toView(zone.name);
    figures.log = zone.log.stats();
    const uint64_t oldest = figures.log.firstId.milliseconds;
    const uint64_t now = unixMilliseconds();
    figures.age = oldest == 0 || oldest > now ? 0 : now - oldest;
    if (zone.bus != nullptr) {
        figures.bus = figuresOf(*zone.bus);
    }
    return figures;
}

WorkerFigures figuresOf(uint32_t place, const WorkerEntry& entry, bool isAlive) noexcept {
    return {
        .place = place,
        .pid = entry.pid.load(),
        .isAlive = isAlive,
        .isDraining = isAlive && entry.draining.load() != 0,
        .subscribers = isAlive ? entry.subscribers.load() : 0,
        .connections = isAlive ? entry.connections.load() : 0,
        .mostConnections = isAlive ? entry.mostConnections.load() : 0,
        .wakeUpsSent = entry.wakeUpsSent.value(),
        .wakeUpsReceived = entry.wakeUpsReceived.value(),
        .turns = entry.turns.value(),
        .turnTime = entry.turnTime.value(),
        .delivered = 0,
        .gaps = 0,
        .slowCloses = 0,
        .repairs = 0,
    };
}

template <size_t size>
uint64_t sumOf(const uint64_t (&counts)[size]) noexcept {
    return std::accumulate(std::begin(counts), std::end(counts), uint64_t{0});
}

// Adds what a worker has counted in a zone, in sum and of the worker.
void add(const Zone& zone, ZoneFigures& figures, WorkerFigures& worker) noexcept {
    const std::span<const ZoneCounters> places = placesOf(zone);
    if (worker.place >= places.size()) {
        return;
    }
    ZoneSums own{};
    const auto open = addTo(own, places[worker.place], worker.isAlive);
    worker.delivered += sumOf(own.deliveredEvents);
    worker.gaps += sumOf(own.gaps);
    worker.repairs += own.repairs;
    for (size_t kind = 0; kind < open.size(); ++kind) {
        worker.slowCloses += own.closed[kind][at(CloseReason::Slow)];
        figures.open[kind] += open[kind];
    }
    addTo(figures.sums, own);
}

// A growing list in a pool.
template <typename T>
class PoolList {
public:
    explicit PoolList(ngx_pool_t* pool) noexcept : array_(ngx_array_create(pool, 8, sizeof(T))) {}

    void push(const T& item) noexcept {
        void* place = isComplete() ? ngx_array_push(array_) : nullptr;
        if (place == nullptr) {
            array_ = nullptr;
            return;
        }
        new (place) T(item);
    }

    // Whether there was enough memory.
    bool isComplete() const noexcept { return array_ != nullptr; }
    std::span<T> items() const noexcept { return {static_cast<T*>(array_->elts), array_->nelts}; }

private:
    ngx_array_t* array_; // NULL without memory
};

} // namespace

std::optional<Figures> collectFigures(const MainConfig& main, const LocationConfig& config,
                                      const Registry& registry, ngx_pool_t* pool,
                                      std::span<const ZoneTop> tops) noexcept {
    const std::span<const Zone* const> zones(static_cast<Zone* const*>(main.zones.elts), main.zones.nelts);
    PoolList<ZoneFigures> all(pool);
    for (const Zone* zone : zones) {
        all.push(figuresOf(*zone));
    }
    PoolList<WorkerFigures> workers(pool);
    registry.eachEntry([&](uint32_t place, const WorkerEntry& entry, bool isAlive) noexcept {
        WorkerFigures worker = figuresOf(place, entry, isAlive);
        for (size_t i = 0; all.isComplete() && i < zones.size(); ++i) {
            add(*zones[i], all.items()[i], worker);
        }
        if (isAlive || worker.turns != 0) {
            workers.push(worker);
        }
    });
    PoolList<ZoneFigures> wanted(pool);
    for (size_t i = 0; all.isComplete() && i < zones.size(); ++i) {
        if (concerns(*config.status, *zones[i])) {
            wanted.push(all.items()[i]);
        }
    }
    if (!all.isComplete() || !wanted.isComplete() || !workers.isComplete()) {
        return std::nullopt;
    }
    for (size_t i = 0; i < std::min(tops.size(), wanted.items().size()); ++i) {
        wanted.items()[i].top = &tops[i];
    }
    return Figures{wanted.items(), workers.items()};
}

} // namespace sse
