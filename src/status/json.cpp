#include "status/json.hpp"

#include "sse/json.hpp"

namespace sse {

namespace {

void writeId(JsonWriter& json, EventId id) noexcept {
    json.string(EventIdText(id).view());
}

void writeIdOrNull(JsonWriter& json, EventId id) noexcept {
    if (id == EventId{}) {
        json.null();
    } else {
        writeId(json, id);
    }
}

void writeBus(JsonWriter& json, const BusFigures& bus) noexcept {
    json.key("bus").beginObject();
    json.key("up").boolean(bus.isUp);
    json.key("dead_since");
    if (bus.deadSince == 0) {
        json.null();
    } else {
        json.number(bus.deadSince);
    }
    json.key("connected").boolean(bus.isConnected);
    json.key("filled").boolean(bus.isFilled);
    json.key("master");
    if (bus.isConnected) {
        json.string(bus.master);
    } else {
        json.null();
    }
    json.member("lineage", bus.lineage);
    json.key("position");
    writeIdOrNull(json, bus.position);
    json.member("lag", bus.lag);
    json.member("entries", bus.entries).member("skipped", bus.skipped).member("breaks", bus.breaks);
    json.member("reconnects", bus.reconnects).member("lives", bus.lives);
    json.member("published", bus.published).member("refused", bus.refused).member("unknown", bus.unknown);
    json.endObject();
}

void writeZone(JsonWriter& json, const ZoneFigures& zone) noexcept {
    const LogStats& log = zone.log;
    json.keyOf(zone.name).beginObject();
    json.member("capacity", log.capacity).member("used", log.used);
    json.key("first_id");
    writeIdOrNull(json, log.firstId);
    json.key("last_id");
    writeId(json, log.lastId);
    json.member("published", log.published).member("evicted", log.evicted);
    json.member("channels", log.channels).member("channel_capacity", log.channelCapacity);
    json.member("forgotten_channels", log.forgottenChannels);
    if (zone.bus) {
        writeBus(json, *zone.bus);
    }
    json.endObject();
}

void writeCounters(JsonWriter& json, const WorkerCounters& counters) noexcept {
    json.member("subscribers", counters.subscribers)
        .member("delivered", counters.delivered)
        .member("gaps", counters.gaps)
        .member("slow_closes", counters.slowCloses)
        .member("repairs", counters.repairs);
}

void writeWorker(JsonWriter& json, const WorkerFigures& worker) noexcept {
    json.beginObject().member("pid", static_cast<uint64_t>(worker.pid));
    writeCounters(json, worker.counters);
    json.endObject();
}

} // namespace

bool writeStatus(const Figures& figures, Buffer& out) noexcept {
    JsonWriter json(out);
    json.beginObject();
    json.key("zones").beginObject();
    for (const ZoneFigures& zone : figures.zones) {
        writeZone(json, zone);
    }
    json.endObject();
    json.key("workers").beginArray();
    for (const WorkerFigures& worker : figures.workers) {
        writeWorker(json, worker);
    }
    json.endArray();
    writeCounters(json, figures.total);
    json.endObject();
    return json.isComplete() && out.append("\n");
}

} // namespace sse
