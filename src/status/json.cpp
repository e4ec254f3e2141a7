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

// A member for each kind.
template <typename Kind>
void writeKinds(JsonWriter& json, const JsonName& name, std::span<const uint64_t> counts) noexcept {
    json.key(name).beginObject();
    for (size_t i = 0; i < counts.size(); ++i) {
        json.keyOf(kNames<Kind>[i]).number(counts[i]);
    }
    json.endObject();
}

void writeCounts(JsonWriter& json, const ZoneFigures& zone) noexcept {
    const ZoneSums& sums = zone.sums;
    writeKinds<SubscriberKind>(json, "subscribers", zone.open);
    writeKinds<SubscriberKind>(json, "opened", sums.opened);
    std::array<uint64_t, kKinds<CloseReason>> closed{};
    for (size_t i = 0; i < closed.size(); ++i) {
        closed[i] = sums.closed[at(SubscriberKind::Stream)][i] + sums.closed[at(SubscriberKind::Poll)][i];
    }
    writeKinds<CloseReason>(json, "closed", closed);
    writeKinds<RefusalGroup>(json, "subscribe_refusals", sums.subscribeRefusals);
    json.member("kicks", sums.kicks).member("heartbeats", sums.heartbeats);
    json.member("handed_out", sums.handedOut);
    writeKinds<Deferral>(json, "deferred", sums.deferred);
    writeKinds<Way>(json, "delivered", sums.deliveredEvents);
    writeKinds<Way>(json, "delivered_bytes", sums.deliveredBytes);
    writeKinds<GapCause>(json, "gaps", sums.gaps);
    writeKinds<PublishOutcome>(json, "publish_requests", sums.publishRequests);
    writeKinds<RefusalGroup>(json, "publish_refusals", sums.publishRefusals);
    json.member("published_bytes", sums.publishedBytes).member("repairs", sums.repairs);
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
    writeCounts(json, zone);
    if (zone.bus) {
        writeBus(json, *zone.bus);
    }
    if (zone.top != nullptr) {
        writeTop(json, *zone.top);
    }
    json.endObject();
}

// Of a worker, or of all together.
void writeCounters(JsonWriter& json, const WorkerFigures& counters) noexcept {
    json.member("subscribers", counters.subscribers)
        .member("delivered", counters.delivered)
        .member("gaps", counters.gaps)
        .member("slow_closes", counters.slowCloses)
        .member("repairs", counters.repairs);
}

void writeWorker(JsonWriter& json, const WorkerFigures& worker) noexcept {
    json.beginObject().member("pid", static_cast<uint64_t>(worker.pid));
    writeCounters(json, worker);
    json.member("place", worker.place).key("draining").boolean(worker.isDraining);
    json.member("connections", worker.connections).member("connection_capacity", worker.mostConnections);
    json.member("wakeups_sent", worker.wakeUpsSent).member("wakeups_received", worker.wakeUpsReceived);
    json.member("turns", worker.turns).endObject();
}

WorkerFigures totalOf(std::span<const WorkerFigures> workers) noexcept {
    WorkerFigures total{};
    for (const WorkerFigures& worker : workers) {
        total.subscribers += worker.subscribers;
        total.delivered += worker.delivered;
        total.gaps += worker.gaps;
        total.slowCloses += worker.slowCloses;
        total.repairs += worker.repairs;
    }
    return total;
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
        if (worker.isAlive) {
            writeWorker(json, worker);
        }
    }
    json.endArray();
    writeCounters(json, totalOf(figures.workers));
    json.endObject();
    return json.isComplete() && out.append("\n");
}

} // namespace sse
