#include "health/handler.hpp"

#include <optional>
#include <span>
#include <string_view>

#include "bus/bus_fault.hpp"
#include "conf/bus_config.hpp"
#include "conf/config.hpp"
#include "http/respond.hpp"
#include "sse/json.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

struct Fault {
    std::string_view reason;
    uint64_t since; // milliseconds since 1970; 0: not known
};

// Empty: none.
std::string_view reasonOf(BusFault fault) noexcept {
    switch (fault) {
    case BusFault::None:
        break;
    case BusFault::NotConnected:
        return "no connection to Redis";
    case BusFault::Silent:
        return "nothing comes through the stream in Redis";
    case BusFault::NotFilled:
        return "the events in Redis have not been read yet";
    }
    return {};
}

std::optional<Fault> faultOfBus(const BusState& bus) noexcept {
    const std::string_view reason = reasonOf(faultOf(bus));
    return reason.empty() ? std::nullopt
                          : std::optional(Fault{reason, bus.deadSince.load(std::memory_order_relaxed)});
}

// What keeps the zone from being used; nothing if it can be.
std::optional<Fault> faultOfZone(const Zone& zone) noexcept {
    if (!ZoneLock::acquire(zone)) {
        return Fault{"another process holds the lock of a zone and does not let go", 0};
    }
    return zone.bus == nullptr ? std::nullopt : faultOfBus(*zone.bus->state);
}

// The first fault of the zones that the location asks for.
std::optional<Fault> firstFault(const MainConfig& main, const LocationConfig& config) noexcept {
    for (const Zone* zone : std::span(static_cast<Zone* const*>(main.zones.elts), main.zones.nelts)) {
        std::optional<Fault> fault = concerns(*config.health, *zone) ? faultOfZone(*zone) : std::nullopt;
        if (fault) {
            return fault;
        }
    }
    return std::nullopt;
}

} // namespace

// An error_page for 503 does not apply: a probe wants the answer of this location, not a page.
ngx_int_t handleHealth(ngx_http_request_t* r) noexcept {
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return refuseMethod(r, "GET, HEAD, OPTIONS");
    }
    const std::optional<Fault> fault = firstFault(*mainConfig(r), *locationConfig(r));
    Buffer text;
    JsonWriter json(text);
    json.beginObject().key("healthy").boolean(!fault);
    if (fault) {
        json.member("reason", fault->reason);
    }
    if (fault && fault->since != 0) {
        json.member("since", fault->since);
    }
    json.endObject();
    return respond(r, fault ? NGX_HTTP_SERVICE_UNAVAILABLE : NGX_HTTP_OK, json, text);
}

} // namespace sse
