#include "conf/audit.hpp"

#include <algorithm>
#include <span>

#include "conf/access_guard.hpp"
#include "conf/endpoint.hpp"
#include "conf/ssi_guard.hpp"

namespace sse {

namespace {

struct Method {
    ngx_uint_t bit;
    std::string_view name;
};

constexpr Method kPublishing[] = {
    {NGX_HTTP_POST, "POST"}, {NGX_HTTP_PUT, "PUT"}, {NGX_HTTP_DELETE, "DELETE"}};
constexpr Method kKicking[] = {{NGX_HTTP_POST, "POST"}, {NGX_HTTP_DELETE, "DELETE"}};
constexpr Method kReading[] = {{NGX_HTTP_GET, "GET"}, {NGX_HTTP_HEAD, "HEAD"}};

struct Deed {
    const char* text;
    std::span<const Method> methods;
};

constexpr Deed kPublish{"publish to", kPublishing};
constexpr Deed kKick{"kick subscribers at", kKicking};
constexpr Deed kReadStatus{"read the status at", kReading};
constexpr Deed kListChannels{"list channels at", kReading};

// What a client without access must not be able to do. Streams and soft refusals are for anybody. So is the
// health: it reveals no names, and load balancers often cannot authenticate themselves.
const Deed* guardedDeed(const LocationConfig& config) noexcept {
    return config.publish != nullptr  ? &kPublish
           : config.kick              ? &kKick
           : config.status != nullptr ? &kReadStatus
                                      : nullptr;
}

ngx_uint_t bits(std::span<const Method> methods) noexcept {
    ngx_uint_t all = 0;
    for (const Method& method : methods) {
        all |= method.bit;
    }
    return all;
}

// The names of those of `methods` that are in `wanted`, as a list; the text is in `room`.
ngx_str_t nameMethods(std::span<const Method> methods, ngx_uint_t wanted, std::span<u_char> room) noexcept {
    u_char* end = room.data();
    for (const Method& method : methods) {
        if (method.bit & wanted) {
            ngx_str_t name = ngxString(method.name);
            end = ngx_slprintf(end, room.data() + room.size(), "%s%V", end == room.data() ? "" : ", ", &name);
        }
    }
    return {static_cast<size_t>(end - room.data()), room.data()};
}

void warnIfOpen(const ngx_conf_t* cf, const Endpoint& endpoint, const LocationConfig& config,
                const Deed& deed) noexcept {
    ngx_uint_t open = openMethods(*cf->cycle, *endpoint.location, bits(deed.methods));
    if (open == 0) {
        return;
    }
    u_char room[64];
    ngx_str_t names = nameMethods(deed.methods, open, room);
    ngx_log_error(
        NGX_LOG_WARN, cf->log, 0,
        "anybody can %s location \"%V\" of server \"%V\": neither \"internal\" nor an access rule that "
        "refuses, \"auth_basic\" or \"auth_request\" guards %V in %V:%ui",
        deed.text, &endpoint.location->name, &endpoint.server->server_name, &names, &config.file,
        config.line);
}

// A content type of the endpoint that can contain texts of clients and for which "ssi" is on; NULL if there
// is none.
const char* typeWithSsi(const ngx_cycle_t& cycle, const Endpoint& endpoint,
                        const LocationConfig& config) noexcept {
    const bool streams = config.channels != nullptr || config.later;
    const bool sendsJson = !streams || (config.channels != nullptr && config.poll != 0);
    const auto isOn = [&](const char* type) noexcept { return isSsiOn(cycle, *endpoint.location, type); };
    return streams && isOn("text/event-stream")    ? "text/event-stream"
           : sendsJson && isOn("application/json") ? "application/json"
                                                   : nullptr;
}

// An include stalls the stream that contains it, and a publisher could use one to read internal locations.
bool refuseSsi(const ngx_conf_t* cf, const Endpoint& endpoint, const LocationConfig& config) noexcept {
    const char* type = typeWithSsi(*cf->cycle, endpoint, config);
    if (type == nullptr) {
        return false;
    }
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"ssi\" is on for %s in %s \"%V\" of server \"%V\", where texts of clients would be taken "
                  "for its commands: \"%s\" needs \"ssi off\" in %V:%ui",
                  type, endpoint.location->noname ? "a block of location" : "location",
                  &endpoint.location->name, &endpoint.server->server_name, endpointName(config), &config.file,
                  config.line);
    return true;
}

// Directives of the location that only apply to this machine, although many machines share its zone.
void warnIfCountedHere(const ngx_conf_t* cf, const Endpoint& endpoint,
                       const LocationConfig& config) noexcept {
    const bool isLimited =
        std::ranges::any_of(config.maxSubscribers, [](ngx_uint_t limit) { return limit != 0; });
    if (config.channels == nullptr || config.zone->bus == nullptr || !isLimited) {
        return;
    }
    ngx_log_error(
        NGX_LOG_WARN, cf->log, 0,
        "\"sse_max_subscribers\" counts the subscribers of this machine alone, not those of all that "
        "share zone \"%V\" by \"sse_bus\", at location \"%V\" of server \"%V\" in %V:%ui",
        &config.zone->name, &endpoint.location->name, &endpoint.server->server_name, &config.file,
        config.line);
}

} // namespace

ngx_int_t auditEndpoints(ngx_conf_t* cf) noexcept {
    const MainConfig& main = *mainConfig(cf);
    for (const Endpoint& endpoint :
         std::span(static_cast<Endpoint*>(main.endpoints.elts), main.endpoints.nelts)) {
        const auto& config =
            *static_cast<LocationConfig*>(endpoint.location->loc_conf[ngx_http_sse_module.ctx_index]);
        if (refuseSsi(cf, endpoint, config)) {
            return NGX_ERROR;
        }
        // Access to blocks is judged with their location: "if" cannot have rules of its own, and
        // "limit_except" is checked for the methods that it covers.
        const Deed* deed = guardedDeed(config);
        if (!endpoint.location->noname && deed != nullptr) {
            warnIfOpen(cf, endpoint, config, *deed);
        }
        if (!endpoint.location->noname && config.publish != nullptr && isListing(config)) {
            warnIfOpen(cf, endpoint, config, kListChannels);
        }
        if (!endpoint.location->noname) {
            warnIfCountedHere(cf, endpoint, config);
        }
    }
    return NGX_OK;
}

} // namespace sse
