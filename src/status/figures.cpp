#include "status/figures.hpp"

#include <new>

#include "bus/bus_fault.hpp"
#include "conf/bus_config.hpp"

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
    return {toView(zone.name), zone.log.stats(),
            zone.bus == nullptr ? std::nullopt : std::optional(figuresOf(*zone.bus))};
}

WorkerCounters countersOf(const WorkerEntry& entry, bool isAlive) noexcept {
    return {
        .subscribers = isAlive ? entry.subscribers.load() : 0,
        .delivered = entry.delivered.load(),
        .gaps = entry.gaps.load(),
        .slowCloses = entry.slowCloses.load(),
        .repairs = entry.repairs.load(),
    };
}

void add(WorkerCounters& total, const WorkerCounters& counters) noexcept {
    total.subscribers += counters.subscribers;
    total.delivered += counters.delivered;
    total.gaps += counters.gaps;
    total.slowCloses += counters.slowCloses;
    total.repairs += counters.repairs;
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
    std::span<const T> items() const noexcept { return {static_cast<const T*>(array_->elts), array_->nelts}; }

private:
    ngx_array_t* array_; // NULL without memory
};

} // namespace

std::optional<Figures> collectFigures(const MainConfig& main, const LocationConfig& config,
                                      const Registry& registry, ngx_pool_t* pool) noexcept {
    PoolList<ZoneFigures> zones(pool);
    for (const Zone* zone : std::span(static_cast<Zone* const*>(main.zones.elts), main.zones.nelts)) {
        if (concerns(*config.status, *zone)) {
            zones.push(figuresOf(*zone));
        }
    }
    PoolList<WorkerFigures> workers(pool);
    WorkerCounters total;
    registry.eachEntry([&](const WorkerEntry& entry, bool isAlive) noexcept {
        const WorkerCounters counters = countersOf(entry, isAlive);
        add(total, counters);
        if (isAlive) {
            workers.push({entry.pid.load(), counters});
        }
    });
    if (!zones.isComplete() || !workers.isComplete()) {
        return std::nullopt;
    }
    return Figures{zones.items(), workers.items(), total};
}

} // namespace sse
