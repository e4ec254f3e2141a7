// sse_status: what the zones and the workers have to tell, as JSON.
#include "conf/config.hpp"
#include "http/respond.hpp"
#include "output/batch.hpp"
#include "sse/json.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// Builds the text in a batch, for its growing memory; a failed allocation is remembered.
class Text {
public:
    template <typename... Arguments>
    void format(const char* format, Arguments... arguments) noexcept {
        constexpr size_t kRoom = 512; // the longest piece below is half of that
        char* place = failed_ ? nullptr : text_.room(kRoom);
        if (place == nullptr) {
            failed_ = true;
            return;
        }
        auto* start = reinterpret_cast<u_char*>(place);
        text_.grow(static_cast<size_t>(ngx_snprintf(start, kRoom, format, arguments...) - start));
    }

    void json(std::string_view value) noexcept {
        char* place = failed_ ? nullptr : text_.room(jsonSize(value));
        if (place == nullptr) {
            failed_ = true;
            return;
        }
        text_.grow(static_cast<size_t>(writeJson(value, place) - place));
    }

    // A copy in the pool; empty without memory.
    std::string_view copy(ngx_pool_t* pool) const noexcept {
        if (failed_) {
            return {};
        }
        return view(poolString(pool, {text_->bytes(), text_->size}));
    }

private:
    BatchRef text_;
    bool failed_ = false;
};

struct Totals {
    uint64_t subscribers = 0;
    uint64_t delivered = 0;
    uint64_t gaps = 0;
    uint64_t slowCloses = 0;
    uint64_t repairs = 0;
};

void writeZone(Text& text, const Zone& zone) noexcept {
    LogFigures figures = zone.log.figures();
    char idText[kMaxEventIdText];

    text.json(view(zone.name));
    text.format(":{\"capacity\":%uL,\"used\":%uL,\"first_id\":", figures.capacity, figures.used);
    if (figures.firstId == EventId{}) {
        text.format("null");
    } else {
        text.json({idText, formatEventId(figures.firstId, idText)});
    }
    text.format(",\"last_id\":");
    text.json({idText, formatEventId(figures.lastId, idText)});
    text.format(",\"published\":%uL,\"evicted\":%uL,\"channels\":%uD,\"channel_capacity\":%uD,"
                "\"forgotten_channels\":%uL}",
                figures.published, figures.evicted, figures.channels, figures.channelCapacity,
                figures.forgottenChannels);
}

bool isWanted(const LocationConfig& config, const Zone& zone) noexcept {
    auto* names = static_cast<ngx_str_t*>(config.status->elts);
    for (ngx_uint_t i = 0; i < config.status->nelts; ++i) {
        if (view(names[i]) == view(zone.name)) {
            return true;
        }
    }
    return config.status->nelts == 0;
}

void writeZones(Text& text, const MainConfig& main, const LocationConfig& config) noexcept {
    auto* zones = static_cast<Zone**>(main.zones.elts);
    bool first = true;
    text.format("{\"zones\":{");
    for (ngx_uint_t i = 0; i < main.zones.nelts; ++i) {
        if (isWanted(config, *zones[i])) {
            text.format(first ? "" : ",");
            writeZone(text, *zones[i]);
            first = false;
        }
    }
    text.format("}");
}

// Counters stay with an entry when its worker has gone, so the totals only grow; subscribers are the living
// workers'.
Totals writeWorkers(Text& text, const Registry& registry) noexcept {
    Totals totals;
    bool first = true;
    text.format(",\"workers\":[");
    registry.eachEntry([&](const WorkerEntry& entry, bool isAlive) {
        uint64_t delivered = entry.delivered.load();
        uint64_t gaps = entry.gaps.load();
        uint64_t slowCloses = entry.slowCloses.load();
        totals.delivered += delivered;
        totals.gaps += gaps;
        totals.slowCloses += slowCloses;
        uint64_t repairs = entry.repairs.load();
        totals.repairs += repairs;
        if (!isAlive) {
            return;
        }
        uint32_t subscribers = entry.subscribers.load();
        totals.subscribers += subscribers;
        text.format("%s{\"pid\":%L,\"subscribers\":%uD,\"delivered\":%uL,\"gaps\":%uL,\"slow_closes\":%uL,"
                    "\"repairs\":%uL}",
                    first ? "" : ",", entry.pid.load(), subscribers, delivered, gaps, slowCloses, repairs);
        first = false;
    });
    text.format("]");
    return totals;
}

} // namespace

ngx_int_t handleStatus(ngx_http_request_t* r) noexcept {
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return refuseMethod(r, "GET, HEAD, OPTIONS");
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    const MainConfig& main = *mainConfig(r);
    if (rc != NGX_OK || main.zones.nelts == 0) {
        return rc == NGX_OK ? respond(r, NGX_HTTP_OK, "{\"zones\":{},\"workers\":[]}\n") : rc;
    }

    Text text;
    writeZones(text, main, *locationConfig(r));
    Totals totals = writeWorkers(text, Worker::self().registry());
    text.format(",\"subscribers\":%uL,\"delivered\":%uL,\"gaps\":%uL,\"slow_closes\":%uL,\"repairs\":%uL}\n",
                totals.subscribers, totals.delivered, totals.gaps, totals.slowCloses, totals.repairs);
    std::string_view json = text.copy(r->pool);
    return json.empty() ? NGX_HTTP_INTERNAL_SERVER_ERROR : respond(r, NGX_HTTP_OK, json);
}

} // namespace sse
