#include "status/prometheus.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <span>

#include "ngx.hpp"
#include "sse/utf8.hpp"
#include "version.hpp"

namespace sse {

namespace {

// A number with digits after the point: milliseconds are seconds with three.
struct Decimal {
    uint64_t value;
    uint32_t places = 0;
};

// As text, as short as possible.
class DecimalText {
public:
    explicit DecimalText(Decimal decimal) noexcept {
        char digits[20]{}; // gcc 14 does not see that what is read has been written
        const char* end = std::to_chars(digits, digits + sizeof(digits), decimal.value).ptr;
        const auto count = static_cast<size_t>(end - digits);
        const size_t zeros = count > decimal.places ? 0 : decimal.places + 1 - count;
        const size_t whole = zeros + count - decimal.places;
        for (size_t i = 0; i < zeros + count; ++i) {
            if (i == whole) {
                text_[size_++] = '.';
            }
            text_[size_++] = i < zeros ? '0' : digits[i - zeros];
        }
        if (decimal.places != 0) {
            while (text_[size_ - 1] == '0') {
                --size_;
            }
            size_ -= text_[size_ - 1] == '.' ? 1 : 0;
        }
    }

    std::string_view view() const noexcept { return {text_, size_}; }

private:
    char text_[32]; // 20 digits, or 10 after the point, and the point
    size_t size_ = 0;
};

struct Label {
    std::string_view name;
    std::string_view value; // any bytes
};

using Labels = std::initializer_list<Label>;

// Writes metrics, one family after the other: what it is, and then its samples.
class MetricWriter {
public:
    explicit MetricWriter(Buffer& out) noexcept : out_(out) {}

    // `name` and `type` are of the family from here on.
    void begin(std::string_view name, std::string_view type, std::string_view help) noexcept {
        name_ = name;
        for (std::string_view part :
             {std::string_view("# HELP "), name, std::string_view(" "), help, std::string_view("\n# TYPE "),
              name, std::string_view(" "), type, std::string_view("\n")}) {
            add(part);
        }
    }

    void sample(Labels labels, Decimal value, std::string_view suffix = {}) noexcept {
        add(name_);
        add(suffix);
        std::string_view before = "{";
        for (const Label& label : labels) {
            add(before);
            add(label.name);
            add("=\"");
            escape(label.value);
            add("\"");
            before = ",";
        }
        add(before == "{" ? " " : "} ");
        add(DecimalText(value).view());
        add("\n");
    }

    bool isComplete() const noexcept { return isComplete_; }

private:
    void add(std::string_view text) noexcept { isComplete_ = isComplete_ && out_.append(text); }
    void escape(std::string_view text) noexcept;

    Buffer& out_;
    std::string_view name_;
    bool isComplete_ = true;
};

// A scrape with an invalid character is lost as a whole.
void MetricWriter::escape(std::string_view text) noexcept {
    while (!text.empty()) {
        const Character character = firstCharacter(text);
        switch (character.code) {
        case '\\':
            add("\\\\");
            break;
        case '"':
            add("\\\"");
            break;
        case '\n':
            add("\\n");
            break;
        default:
            add(character.isValid() ? std::string_view(text.data(), character.length) : kReplacement);
        }
        text.remove_prefix(character.length);
    }
}

// --- Families of zones ---

constexpr std::string_view kGauge = "gauge";
constexpr std::string_view kCounter = "counter";

// A family with a sample for each zone, bus or worker.
template <typename Figures>
struct Family {
    std::string_view name, type, help;
    Decimal (*value)(const Figures& figures) noexcept;
};

// A family with a sample for each kind in each zone, except those that can never occur.
struct KindFamily {
    std::string_view name, type, help, label;
    std::span<const std::string_view> kinds;
    uint64_t (*value)(const ZoneFigures& zone, size_t kind) noexcept;
    std::span<const RefusalGroup> never = {};
};

using enum RefusalGroup;
constexpr RefusalGroup kNeverOfSubscribers[] = {Origin, Forbidden, Event, Size, Timeout, Precondition, Drain};
constexpr RefusalGroup kNeverOfPublishers[] = {Absent, Gap, Expired, Kicked, Full};

using Zones = std::span<const ZoneFigures>;

uint64_t closedFor(const ZoneFigures& zone, size_t reason) noexcept {
    return zone.sums.closed[at(SubscriberKind::Stream)][reason] +
           zone.sums.closed[at(SubscriberKind::Poll)][reason];
}

constexpr KindFamily kKindFamilies[] = {
    {"sse_subscribers", kGauge, "Open streams and polls.", "kind", kNames<SubscriberKind>,
     [](const ZoneFigures& zone, size_t kind) noexcept { return zone.open[kind]; }},
    {"sse_subscribers_opened_total", kCounter, "Streams and polls that were let in.", "kind",
     kNames<SubscriberKind>,
     [](const ZoneFigures& zone, size_t kind) noexcept { return zone.sums.opened[kind]; }},
    {"sse_subscribers_closed_total", kCounter, "Streams and polls that are over.", "reason",
     kNames<CloseReason>, closedFor},
    {"sse_subscribe_refusals_total", kCounter, "Requests to subscribe that were refused.", "reason",
     kNames<RefusalGroup>,
     [](const ZoneFigures& zone, size_t group) noexcept { return zone.sums.subscribeRefusals[group]; },
     kNeverOfSubscribers},
    {"sse_deferred_events_total", kCounter, "Events handed out that were not sent from the batch.", "reason",
     kNames<Deferral>, [](const ZoneFigures& zone, size_t why) noexcept { return zone.sums.deferred[why]; }},
    {"sse_delivered_events_total", kCounter, "Events sent to subscribers.", "way", kNames<Way>,
     [](const ZoneFigures& zone, size_t way) noexcept { return zone.sums.deliveredEvents[way]; }},
    {"sse_delivered_bytes_total", kCounter, "Bytes of the events sent to subscribers.", "way", kNames<Way>,
     [](const ZoneFigures& zone, size_t way) noexcept { return zone.sums.deliveredBytes[way]; }},
    {"sse_gaps_total", kCounter, "Gaps that subscribers had.", "reason", kNames<GapCause>,
     [](const ZoneFigures& zone, size_t cause) noexcept { return zone.sums.gaps[cause]; }},
    {"sse_publish_requests_total", kCounter, "Requests that publish, by what has become of them.", "outcome",
     kNames<PublishOutcome>,
     [](const ZoneFigures& zone, size_t outcome) noexcept { return zone.sums.publishRequests[outcome]; }},
    {"sse_publish_refusals_total", kCounter, "Requests that publish and were refused.", "reason",
     kNames<RefusalGroup>,
     [](const ZoneFigures& zone, size_t group) noexcept { return zone.sums.publishRefusals[group]; },
     kNeverOfPublishers},
};

constexpr Family<ZoneFigures> kZoneFamilies[] = {
    {"sse_kicks_total", kCounter, "Kicks carried out.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.sums.kicks}; }},
    {"sse_handed_out_events_total", kCounter, "Events handed to subscribers by the fan-out, once for each.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.sums.handedOut}; }},
    {"sse_heartbeats_total", kCounter, "Heartbeats sent.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.sums.heartbeats}; }},
    {"sse_published_events_total", kCounter, "Events, and ends of channels, appended to the zone.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.log.published}; }},
    {"sse_published_bytes_total", kCounter, "Bytes of the events appended to the zone.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.sums.publishedBytes}; }},
    {"sse_repaired_sequences_total", kCounter, "Invalid sequences in published text that were replaced.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.sums.repairs}; }},
    {"sse_evicted_events_total", kCounter, "Events, and ends of channels, that newer ones have evicted.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.log.evicted}; }},
    {"sse_log_events", kGauge, "Events, and ends of channels, in the zone.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.log.published - zone.log.evicted}; }},
    {"sse_log_used_bytes", kGauge, "Bytes of the zone that events occupy.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.log.used}; }},
    {"sse_log_capacity_bytes", kGauge, "Bytes that the zone has for events.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.log.capacity}; }},
    {"sse_log_oldest_event_age_seconds", kGauge, "Age of the oldest event in the zone.",
     [](const ZoneFigures& zone) noexcept {
         return Decimal{zone.age, 3};
     }},
    {"sse_channels", kGauge, "Channels in the index.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.log.channels}; }},
    {"sse_channels_limit", kGauge, "Channels that the index can hold.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.log.channelCapacity}; }},
    {"sse_forgotten_channels_total", kCounter, "Channels that have lost their history to a full index.",
     [](const ZoneFigures& zone) noexcept { return Decimal{zone.log.forgottenChannels}; }},
};

uint64_t downFor(const BusFigures& bus) noexcept {
    const uint64_t now = unixMilliseconds();
    return bus.deadSince == 0 || bus.deadSince > now ? 0 : now - bus.deadSince;
}

constexpr Family<BusFigures> kBusFamilies[] = {
    {"sse_bus_up", kGauge, "Whether all is well with the bus.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.isUp}; }},
    {"sse_bus_connected", kGauge, "Whether this machine reads the stream.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.isConnected}; }},
    {"sse_bus_filled", kGauge, "Whether the zone has been filled.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.isFilled}; }},
    {"sse_bus_down_seconds", kGauge, "For how long nothing has come through.",
     [](const BusFigures& bus) noexcept {
         return Decimal{downFor(bus), 3};
     }},
    {"sse_bus_lag_seconds", kGauge, "How long the newest probe was on its way.",
     [](const BusFigures& bus) noexcept {
         return Decimal{bus.lag, 3};
     }},
    {"sse_bus_position_timestamp_seconds", kGauge, "Time of the entry up to which the stream has been read.",
     [](const BusFigures& bus) noexcept {
         return Decimal{bus.position.milliseconds, 3};
     }},
    {"sse_bus_entries_total", kCounter, "Entries appended to the zone.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.entries}; }},
    {"sse_bus_skipped_entries_total", kCounter, "Entries that no event could be made of.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.skipped}; }},
    {"sse_bus_breaks_total", kCounter, "How often all clients got a gap because events are lost.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.breaks}; }},
    {"sse_bus_lives_total", kCounter, "How often the stream was another one.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.lives}; }},
    {"sse_bus_reconnects_total", kCounter, "How often the connection was lost.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.reconnects}; }},
    {"sse_bus_published_events_total", kCounter, "Events that this machine has added to the stream.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.published}; }},
    {"sse_bus_refused_events_total", kCounter, "Events that Redis has refused.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.refused}; }},
    {"sse_bus_unknown_events_total", kCounter, "Events of which nobody knows whether the stream has them.",
     [](const BusFigures& bus) noexcept { return Decimal{bus.unknown}; }},
};

constexpr Family<WorkerFigures> kWorkerFamilies[] = {
    {"sse_worker_subscribers", kGauge, "Open streams and polls of a worker.",
     [](const WorkerFigures& worker) noexcept { return Decimal{worker.subscribers}; }},
    {"sse_worker_connections", kGauge, "Connections that a worker uses.",
     [](const WorkerFigures& worker) noexcept { return Decimal{worker.connections}; }},
    {"sse_worker_connections_limit", kGauge, "Connections that a worker can use.",
     [](const WorkerFigures& worker) noexcept { return Decimal{worker.mostConnections}; }},
    {"sse_worker_delivered_events_total", kCounter, "Events sent to subscribers by a worker.",
     [](const WorkerFigures& worker) noexcept { return Decimal{worker.delivered}; }},
    {"sse_worker_wakeups_sent_total", kCounter, "How often a worker has woken another one.",
     [](const WorkerFigures& worker) noexcept { return Decimal{worker.wakeUpsSent}; }},
    {"sse_worker_wakeups_received_total", kCounter, "How often a worker was woken.",
     [](const WorkerFigures& worker) noexcept { return Decimal{worker.wakeUpsReceived}; }},
    {"sse_worker_turns_total", kCounter, "Turns in which a worker has read logs and handed out.",
     [](const WorkerFigures& worker) noexcept { return Decimal{worker.turns}; }},
    {"sse_worker_turn_seconds_total", kCounter, "Time that these turns have taken.",
     [](const WorkerFigures& worker) noexcept {
         return Decimal{worker.turnTime, 9};
     }},
};

bool canBe(const KindFamily& family, size_t kind) noexcept {
    return std::ranges::find(family.never, static_cast<RefusalGroup>(kind)) == family.never.end();
}

void write(MetricWriter& out, const KindFamily& family, Zones zones) noexcept {
    out.begin(family.name, family.type, family.help);
    for (const ZoneFigures& zone : zones) {
        for (size_t kind = 0; kind < family.kinds.size(); ++kind) {
            if (canBe(family, kind)) {
                out.sample({{"zone", zone.name}, {family.label, family.kinds[kind]}},
                           {family.value(zone, kind)});
            }
        }
    }
}

void write(MetricWriter& out, const Family<ZoneFigures>& family, Zones zones) noexcept {
    out.begin(family.name, family.type, family.help);
    for (const ZoneFigures& zone : zones) {
        out.sample({{"zone", zone.name}}, family.value(zone));
    }
}

void write(MetricWriter& out, const Family<BusFigures>& family, Zones zones) noexcept {
    out.begin(family.name, family.type, family.help);
    for (const ZoneFigures& zone : zones) {
        if (zone.bus) {
            out.sample({{"zone", zone.name}}, family.value(*zone.bus));
        }
    }
}

void write(MetricWriter& out, const Family<WorkerFigures>& family,
           std::span<const WorkerFigures> workers) noexcept {
    out.begin(family.name, family.type, family.help);
    for (const WorkerFigures& worker : workers) {
        out.sample({{"worker", DecimalText({worker.place}).view()}}, family.value(worker));
    }
}

// Buckets include those before them. Values have `places` digits after the point.
template <typename Bounds>
void write(MetricWriter& out, std::string_view zone, const Histogram<uint64_t, Bounds>& histogram,
           uint32_t places) noexcept {
    uint64_t count = 0;
    for (size_t i = 0; i < Bounds::kBounds; ++i) {
        count += histogram.buckets[i];
        const DecimalText bound({Bounds::bound(i), places});
        out.sample({{"zone", zone}, {"le", bound.view()}}, {count}, "_bucket");
    }
    count += histogram.buckets[Bounds::kBounds];
    out.sample({{"zone", zone}, {"le", "+Inf"}}, {count}, "_bucket");
    out.sample({{"zone", zone}}, {histogram.sum, places}, "_sum");
    out.sample({{"zone", zone}}, {count}, "_count");
}

void writeHistograms(MetricWriter& out, Zones zones) noexcept {
    out.begin("sse_batch_events", "histogram", "Events that went out together.");
    for (const ZoneFigures& zone : zones) {
        write(out, zone.name, zone.sums.batches, 0);
    }
    out.begin("sse_fanout_duration_seconds", "histogram",
              "From the publication of the oldest event of a batch until it was written for the last "
              "subscriber.");
    for (const ZoneFigures& zone : zones) {
        write(out, zone.name, zone.sums.fanout, 6);
    }
}

void writeWorkers(MetricWriter& out, std::span<const WorkerFigures> workers) noexcept {
    const auto count = [workers](bool isDraining) noexcept {
        return static_cast<uint64_t>(
            std::ranges::count_if(workers, [isDraining](const WorkerFigures& worker) noexcept {
                return worker.isAlive && worker.isDraining == isDraining;
            }));
    };
    out.begin("sse_workers", kGauge, "Living workers.");
    out.sample({{"state", "serving"}}, {count(false)});
    out.sample({{"state", "draining"}}, {count(true)});
    for (const Family<WorkerFigures>& family : kWorkerFamilies) {
        write(out, family, workers);
    }
}

} // namespace

bool writeMetrics(const Figures& figures, Buffer& out) noexcept {
    MetricWriter metrics(out);
    metrics.begin("sse_build_info", kGauge, "Versions of the module and of nginx.");
    metrics.sample({{"version", kVersion}, {"nginx", NGINX_VERSION}}, {1});
    for (const KindFamily& family : kKindFamilies) {
        write(metrics, family, figures.zones);
    }
    for (const Family<ZoneFigures>& family : kZoneFamilies) {
        write(metrics, family, figures.zones);
    }
    writeHistograms(metrics, figures.zones);
    if (std::ranges::any_of(figures.zones, [](const ZoneFigures& zone) { return zone.bus.has_value(); })) {
        for (const Family<BusFigures>& family : kBusFamilies) {
            write(metrics, family, figures.zones);
        }
    }
    writeWorkers(metrics, figures.workers);
    return metrics.isComplete();
}

} // namespace sse
