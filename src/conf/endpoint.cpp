#include "conf/endpoint.hpp"

#include <algorithm>

#include "conf/words.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

constexpr size_t kDefaultMaxEvent = 1024 * 1024;

struct EndpointKind {
    const char* directive;
    ngx_http_handler_pt Handlers::*handler;
};

constexpr EndpointKind kChannel{"sse_channel", &Handlers::subscribe};
constexpr EndpointKind kPublish{"sse_publish", &Handlers::publish};
constexpr EndpointKind kStatus{"sse_status", &Handlers::status};
constexpr EndpointKind kHealth{"sse_health", &Handlers::health};
constexpr EndpointKind kKick{"sse_kick", &Handlers::kick};
constexpr EndpointKind kLater{"sse_later", &Handlers::later};

const EndpointKind& kindOf(const LocationConfig& config) noexcept {
    return config.channels != nullptr  ? kChannel
           : config.publish != nullptr ? kPublish
           : config.health != nullptr  ? kHealth
           : config.kick               ? kKick
           : config.later              ? kLater
                                       : kStatus;
}

// sse_channel, sse_publish and sse_kick: finds the zone.
bool resolveZone(ngx_conf_t* cf, const MainConfig& main, LocationConfig& config) noexcept {
    const char* name = endpointName(config);
    if (main.zones.nelts == 0) {
        return refuse(cf, "\"%s\" needs an \"sse_zone\" at http level", name);
    }
    if (config.zoneName.len == 0) {
        config.zone = *static_cast<Zone**>(main.zones.elts);
        return main.zones.nelts == 1 ||
               refuse(cf, "\"%s\" needs the parameter \"zone=\", since there are several \"sse_zone\"", name);
    }
    config.zone = findZone(main, toView(config.zoneName));
    return config.zone != nullptr || refuse(cf, "unknown zone \"%V\" in \"%s\"", &config.zoneName, name);
}

// sse_status and sse_health.
bool checkListedZones(ngx_conf_t* cf, const MainConfig& main, const LocationConfig& config) noexcept {
    for (const ngx_str_t& name : stringsOf(config.status != nullptr ? *config.status : *config.health)) {
        if (findZone(main, toView(name)) == nullptr) {
            return refuse(cf, "unknown zone \"%V\" in \"%s\"", &name, endpointName(config));
        }
    }
    return true;
}

// Whatever is configured, an event larger than a quarter of the ring is refused when it arrives, so a larger
// setting is a mistake.
bool limitEventSize(ngx_conf_t* cf, LocationConfig& config) noexcept {
    const size_t quarter = expectedCapacity(config.zone->size, config.zone->channels) / 4;
    if (config.askedEventSize == NGX_CONF_UNSET_SIZE || config.askedEventSize == 0) {
        config.maxEventSize = config.askedEventSize == 0 ? quarter : ngx_min(kDefaultMaxEvent, quarter);
        return true;
    }
    config.maxEventSize = config.askedEventSize;
    return config.askedEventSize <= quarter ||
           refuse(cf, "\"sse_max_event_size\" is more than a quarter of zone \"%V\", which is %uz bytes",
                  &config.zone->name, quarter);
}

bool isFixedText(const ngx_http_complex_value_t* value) noexcept {
    return value != nullptr && isFixed(*value) && value->value.len != 0;
}

// A fixed name that is empty is none, so each body must name its own. A fixed id is for one event, and an
// encoding for a body that is one as it stands: with another framing every request would be refused.
bool checkPublish(ngx_conf_t* cf, const LocationConfig& config) noexcept {
    const Framing framing = config.framingMode();
    const bool mayBeBare =
        framing == Framing::Auto || framing == Framing::ContentType || framing == Framing::Event;
    if (isFixed(*config.publish) && config.publish->value.len == 0 && !mayNameChannels(config)) {
        return refuse(cf, "invalid value \"\" in \"sse_publish\": only with \"sse_body_channels\", and "
                          "\"sse_framing\" \"form\" or \"json\", a body names the channel");
    }
    if (isFixedText(config.eventId) && !mayBeBare && framing != Framing::Form) {
        return refuse(cf, "\"sse_event_id\" is for bodies of one event, not for this \"sse_framing\"");
    }
    return !isFixedText(config.eventEncoding) || mayBeBare ||
           refuse(cf,
                  "\"sse_event_encoding\" is for bodies that are one event, not for this \"sse_framing\"");
}

// A limit per key without a key would limit nobody.
bool hasKeyIfLimited(ngx_conf_t* cf, const LocationConfig& config) noexcept {
    const bool isLimited = config.maxSubscribers[static_cast<size_t>(Scope::Key)] != 0;
    return !isLimited || (config.key != nullptr && config.key->value.len != 0) ||
           refuse(cf, "\"sse_max_subscribers\" with \"per=key\" needs an \"sse_key\"");
}

bool reserveTypes(MainConfig& main, const LocationConfig& config) noexcept {
    const bool primes = config.primeMode() == Prime::Event;
    return (!primes || addReservedType(main, toView(config.primeEvent))) &&
           addReservedType(main, toView(config.heartbeatEvent)) &&
           addReservedType(main, toView(config.gapEvent)) &&
           addReservedType(main, toView(config.caughtUpEvent)) &&
           addReservedType(main, toView(config.endEvent)) &&
           (config.expires == nullptr || addReservedType(main, toView(config.expiredEvent)));
}

// A value with variables may name one.
bool checkChannels(ngx_conf_t* cf, const LocationConfig& config) noexcept {
    if (!hasKeyIfLimited(cf, config)) {
        return false;
    }
    size_t count = 0;
    for (const ngx_http_complex_value_t& value : expressions(config.channels)) {
        count += isFixed(value) ? countChannels(toView(value.value), config.separator) : 1;
    }
    return count <= config.maxChannels ||
           refuse(cf, "more channels in \"sse_channel\" than \"sse_max_channels\" %ui", config.maxChannels);
}

// sse_list permits what nothing else in the location does: to name channels.
bool checkList(ngx_conf_t* cf, const ngx_http_core_loc_conf_t& core, const LocationConfig& config) noexcept {
    if (!isListing(config) || config.publish != nullptr) {
        return true;
    }
    if (config.status == nullptr) {
        return refuse(cf, "\"sse_list\" needs an \"sse_publish\" or \"sse_status\" in \"%V\"", &core.name);
    }
    return config.statusFormat != StatusFormat::Prometheus ||
           refuse(cf, "\"sse_list\" means nothing in \"%V\": \"format=prometheus\" names no channels",
                  &core.name);
}

// Remembers the location for the audit.
bool noteEndpoint(ngx_conf_t* cf, MainConfig& main, ngx_http_core_loc_conf_t* core) noexcept {
    auto* endpoint = static_cast<Endpoint*>(ngx_array_push(&main.endpoints));
    if (endpoint == nullptr) {
        return false;
    }
    auto* server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    *endpoint = {core, static_cast<ngx_http_core_srv_conf_t*>(server)};
    return true;
}

} // namespace

const char* endpointName(const LocationConfig& config) noexcept {
    return kindOf(config).directive;
}

// nginx-internal: http/ngx_http_core_module.c, http/modules/ngx_http_rewrite_module.c (1.22.1, 1.26.3,
// 1.30.4, 1.31.4): both blocks are `noname` locations. In an "if" the handler of the location stays; a
// "limit_except" needs its own.
void inheritEndpoint(const MainConfig& main, ngx_http_core_loc_conf_t& core, const LocationConfig& parent,
                     LocationConfig& config) noexcept {
    if (!isEndpoint(parent) || !(core.noname || core.lmt_excpt)) {
        return;
    }
    config.channels = parent.channels;
    config.publish = parent.publish;
    config.status = parent.status;
    config.statusFormat = parent.statusFormat;
    config.health = parent.health;
    config.kick = parent.kick;
    config.later = parent.later;
    config.list = parent.list;
    config.listsAll = parent.listsAll;
    config.laterTime = parent.laterTime;
    config.zoneName = parent.zoneName;
    config.separator = parent.separator;
    config.file = parent.file;
    config.line = parent.line;
    if (core.lmt_excpt && core.handler == nullptr) {
        core.handler = main.handlers.*kindOf(config).handler;
    }
}

bool completeEndpoint(ngx_conf_t* cf, LocationConfig& config) noexcept {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    MainConfig& main = *mainConfig(cf);
    if (!checkList(cf, *core, config)) {
        return false;
    }
    if (!isEndpoint(config)) {
        return true;
    }
    if (core->handler != nullptr && core->handler != main.handlers.*kindOf(config).handler) {
        return refuse(cf,
                      "\"%s\" and another directive that answers requests are in the same location \"%V\"",
                      endpointName(config), &core->name);
    }
    if (!noteEndpoint(cf, main, core)) {
        return false;
    }
    if (config.status != nullptr || config.health != nullptr) {
        return checkListedZones(cf, main, config);
    }
    if (config.later) {
        return true;
    }
    if (!resolveZone(cf, main, config)) {
        return false;
    }
    if (config.publish != nullptr) {
        return checkPublish(cf, config) && limitEventSize(cf, config);
    }
    return config.channels == nullptr || (checkChannels(cf, config) && reserveTypes(main, config));
}

size_t countChannels(std::string_view value, u_char separator) noexcept {
    size_t count = 0;
    while (!value.empty()) {
        const size_t end =
            separator == 0 ? value.size() : std::min(value.find(static_cast<char>(separator)), value.size());
        if (end != 0 && !isChannelName({value.data(), end})) {
            return 0;
        }
        count += end != 0 ? 1 : 0;
        value = dropFirst(value, std::min(end + 1, value.size()));
    }
    return count;
}

bool addReservedType(MainConfig& main, std::string_view type) noexcept {
    if (type.empty()) {
        return true;
    }
    const bool isKnown = std::ranges::any_of(
        stringsOf(main.reservedTypes), [type](const ngx_str_t& known) { return toView(known) == type; });
    if (isKnown) {
        return true;
    }
    auto* place = static_cast<ngx_str_t*>(ngx_array_push(&main.reservedTypes));
    if (place != nullptr) {
        *place = ngxString(type);
    }
    return place != nullptr;
}

} // namespace sse
