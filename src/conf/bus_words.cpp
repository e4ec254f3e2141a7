#include "conf/bus_words.hpp"

#include <algorithm>

#include "bus/bus_state.hpp"
#include "conf/bus_config.hpp"
#include "conf/bus_parameters.hpp"
#include "conf/bus_server.hpp"
#include "conf/words.hpp"

namespace sse {

namespace {

constexpr ngx_msec_t kDefaultKeep = 3600'000;
constexpr ngx_msec_t kDefaultTimeout = 5000;
// A connection is given up after half of this time, so it must not be shorter than a round trip to Redis.
constexpr ngx_msec_t kLeastTimeout = 500;
constexpr ngx_int_t kMostAcks = 16;
constexpr std::string_view kKeyOfControl = ":control";
constexpr std::string_view kKeyOfLineage = ":lineage";
constexpr std::string_view kKeysOfRequests = ":key:"; // bus/idempotency.hpp
constexpr std::string_view kKeysOfProducers = ":producer:";
constexpr std::string_view kStreamOfZone = "sse:"; // and the name of the zone

// A URL in the wrong place may contain a password, which must not be logged.
bool isUrl(const ngx_str_t& word) noexcept {
    return toView(word).starts_with("redis://") || toView(word).starts_with("rediss://");
}

// Each at most once, and none without a value.
bool readParameters(ngx_conf_t* cf, std::span<ngx_str_t> words, BusParameters& parameters) noexcept {
    for (ngx_str_t& word : words) {
        const std::string_view text = toView(word);
        const size_t sign = std::min(text.find('='), text.size());
        const std::string_view key(text.data(), sign);
        const auto* known = std::ranges::find(kBusParameters, key, &BusParameter::key);
        if (known == kBusParameters.end() || sign == text.size()) {
            return refuseBus(cf, "invalid parameter \"%V\" in \"sse_bus\"", &word);
        }
        ngx_str_t& value = parameters.*known->value;
        if (value.data != nullptr) {
            return refuseBus(cf, "duplicate parameter \"%V\" in \"sse_bus\"", &word);
        }
        value = ngxString(dropFirst(text, sign + 1));
        if (value.len == 0) {
            return refuseBus(cf, "empty parameter \"%V\" in \"sse_bus\"", &word);
        }
    }
    return true;
}

// --- Values ---

bool readTime(ngx_conf_t* cf, const char* key, ngx_str_t& text, ngx_msec_t usual, ngx_msec_t& time) noexcept {
    time = usual;
    if (text.data == nullptr) {
        return true;
    }
    const ngx_int_t read = ngx_parse_time(&text, 0);
    if (read == NGX_ERROR || read == 0) {
        return refuseBus(cf, "invalid time \"%s=%V\" in \"sse_bus\"", key, &text);
    }
    time = static_cast<ngx_msec_t>(read);
    return true;
}

bool readNumber(ngx_conf_t* cf, const char* key, const ngx_str_t& text, ngx_int_t least,
                ngx_uint_t& number) noexcept {
    number = 0;
    if (text.data == nullptr) {
        return true;
    }
    const ngx_int_t read = ngx_atoi(text.data, text.len);
    if (read == NGX_ERROR || read < least) {
        return refuseBus(cf, "invalid number \"%s=%V\" in \"sse_bus\"", key, &text);
    }
    number = static_cast<ngx_uint_t>(read);
    return true;
}

// `first` and `second` one after the other; data is NULL without memory.
ngx_str_t join(ngx_pool_t* pool, std::string_view first, std::string_view second) noexcept {
    const ngx_str_t joined = {first.size() + second.size(),
                              static_cast<u_char*>(ngx_pnalloc(pool, first.size() + second.size() + 1))};
    if (joined.data != nullptr) {
        u_char* end = ngx_cpymem(joined.data, first.data(), first.size());
        end = ngx_cpymem(end, second.data(), second.size());
        *end = '\0';
    }
    return joined;
}

bool readStream(ngx_conf_t* cf, const BusParameters& parameters, BusConfig& bus) noexcept {
    bus.stream = parameters.stream.data != nullptr ? parameters.stream
                                                   : join(cf->pool, kStreamOfZone, toView(bus.zone->name));
    if (bus.stream.data == nullptr) {
        return false;
    }
    bus.controlKey = join(cf->pool, toView(bus.stream), kKeyOfControl);
    bus.lineageKey = join(cf->pool, toView(bus.stream), kKeyOfLineage);
    return bus.controlKey.data != nullptr && bus.lineageKey.data != nullptr;
}

bool readLimits(ngx_conf_t* cf, BusParameters& parameters, BusConfig& bus) noexcept {
    if (!readTime(cf, "keep", parameters.keep, kDefaultKeep, bus.keep) ||
        !readTime(cf, "timeout", parameters.timeout, kDefaultTimeout, bus.timeout) ||
        !readNumber(cf, "max", parameters.max, 1, bus.max) ||
        !readNumber(cf, "acks", parameters.acks, 0, bus.acks)) {
        return false;
    }
    if (bus.timeout < kLeastTimeout) {
        return refuseBus(cf, "too short \"timeout=%V\" in \"sse_bus\", at least %Mms", &parameters.timeout,
                         kLeastTimeout);
    }
    return bus.acks <= kMostAcks ||
           refuseBus(cf, "too many replicas in \"acks=%V\" of \"sse_bus\", at most %i", &parameters.acks,
                     kMostAcks);
}

// --- The zone ---

std::span<BusConfig* const> busesOf(const MainConfig& config) noexcept {
    return {static_cast<BusConfig* const*>(config.buses.elts), config.buses.nelts};
}

bool haveServerInCommon(const BusConfig& one, const BusConfig& other) noexcept {
    return one.database == other.database &&
           std::ranges::any_of(one.addresses, [&other](const BusAddress& mine) noexcept {
               return std::ranges::any_of(other.addresses, [&mine](const BusAddress& theirs) noexcept {
                   return toView(mine.host) == toView(theirs.host) && mine.port == theirs.port;
               });
           });
}

// Whether the bus has that key in Redis: its stream, or one that begins with that and a colon.
bool hasKey(const BusConfig& bus, const ngx_str_t& key) noexcept {
    const std::string_view text = toView(key);
    const std::string_view stream = toView(bus.stream);
    const std::string_view rest = text.starts_with(stream) ? dropFirst(text, stream.size()) : "?";
    return rest.empty() || rest == kKeyOfControl || rest == kKeyOfLineage ||
           rest.starts_with(kKeysOfRequests) || rest.starts_with(kKeysOfProducers);
}

// A bus of this configuration that has keys in common with this one, as far as their addresses tell; NULL if
// there is none.
const BusConfig* findSameKeys(const MainConfig& config, const BusConfig& bus) noexcept {
    const auto found = std::ranges::find_if(busesOf(config), [&bus](const BusConfig* other) noexcept {
        return haveServerInCommon(*other, bus) && (hasKey(*other, bus.stream) || hasKey(bus, other->stream));
    });
    return found == busesOf(config).end() ? nullptr : *found;
}

// What the words of sse_bus say. false after an error, which is logged.
bool readBus(ngx_conf_t* cf, const MainConfig& config, std::span<ngx_str_t> words, BusConfig& bus) noexcept {
    if (isUrl(words[0]) || std::ranges::any_of(words.subspan(2), isUrl)) {
        return refuseBus(cf, "the zone and one URL must come first in \"sse_bus\"");
    }
    bus.zone = findZone(config, toView(words[0]));
    if (bus.zone == nullptr) {
        return refuseBus(cf, "unknown zone \"%V\" in \"sse_bus\", its \"sse_zone\" must come before",
                         &words[0]);
    }
    if (bus.zone->bus != nullptr) {
        return refuseBus(cf, "zone \"%V\" in \"sse_bus\" is duplicate", &words[0]);
    }
    BusParameters parameters;
    if (!readParameters(cf, words.subspan(2), parameters) || !readStream(cf, parameters, bus) ||
        !readLimits(cf, parameters, bus) || !readServer(cf, words[1], parameters, bus)) {
        return false;
    }
    const BusConfig* same = findSameKeys(config, bus);
    return same == nullptr ||
           refuseBus(cf,
                     "zones \"%V\" and \"%V\" in \"sse_bus\" have the same keys in Redis, \"%V\" and \"%V\"",
                     &same->zone->name, &bus.zone->name, &same->stream, &bus.stream);
}

// --- When everything has been read ---

// nginx-internal: http/ngx_http.c, http/ngx_http_core_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a block
// without `resolver` has none, or gets one without servers when the core merges its configuration.
void findResolver(ngx_conf_t* cf, BusConfig& bus) noexcept {
    const auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    const bool isThere = core->resolver != nullptr && core->resolver->connections.nelts != 0;
    bus.resolver = isThere ? core->resolver : nullptr;
    bus.resolverTimeout = core->resolver_timeout == NGX_CONF_UNSET_MSEC ? 30'000 : core->resolver_timeout;
}

bool resolveNames(ngx_conf_t* cf, const BusConfig& bus) noexcept {
    for (const BusAddress& address : bus.addresses) {
        if (!address.isName) {
            continue;
        }
        ngx_url_t url{};
        url.url = address.text;
        url.default_port = address.port;
        if (ngx_parse_url(cf->pool, &url) != NGX_OK) {
            ngx_log_error(
                NGX_LOG_EMERG, cf->log, 0,
                "%s in \"sse_bus\" \"%V\", and there is no \"resolver\" in the http block in %V:%ui",
                url.err == nullptr ? "no memory" : url.err, &address.text, &bus.file, bus.line);
            return false;
        }
        const_cast<BusAddress&>(address).addresses = {url.addrs, url.naddrs};
    }
    return true;
}

// ngx_shm_zone_t::init. On reload the memory is still in use by the old workers: then nothing is written.
ngx_int_t initState(ngx_shm_zone_t* shared, void* old) noexcept {
    auto& bus = *static_cast<BusConfig*>(shared->data);
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(shared->shm.addr);
    if (old == nullptr && !shared->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(BusState));
    }
    bus.state = static_cast<BusState*>(pool->data);
    if (bus.state == nullptr) {
        return NGX_ERROR;
    }
    bus.zone->filled = &bus.state->isFilled;
    return NGX_OK;
}

bool addMemory(ngx_conf_t* cf, BusConfig& bus) noexcept {
    ngx_str_t name = join(cf->pool, kBusMemory, toView(bus.zone->name));
    if (name.data == nullptr) {
        return false;
    }
    const size_t size = sizeof(BusState) + 16 * ngx_pagesize; // the rest is for the slab pool itself
    ngx_shm_zone_t* shared = ngx_shared_memory_add(cf, &name, size, &ngx_http_sse_module);
    if (shared == nullptr) {
        return false;
    }
    shared->init = initState;
    shared->data = &bus;
    return true;
}

} // namespace

// sse_bus zone url [parameter=value]...
char* setBus(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept {
    auto& config = *static_cast<MainConfig*>(conf);
    auto* bus = static_cast<BusConfig*>(ngx_pcalloc(cf->pool, sizeof(BusConfig)));
    auto words = std::span(static_cast<ngx_str_t*>(cf->args->elts), cf->args->nelts).subspan(1);
    if (bus == nullptr || !readBus(cf, config, words, *bus)) {
        return kError;
    }
    auto** place = static_cast<BusConfig**>(ngx_array_push(&config.buses));
    if (place == nullptr) {
        return kError;
    }
    *place = bus;
    bus->file = cf->conf_file->file.name;
    bus->line = cf->conf_file->line;
    bus->zone->bus = bus;
    return NGX_CONF_OK;
}

bool finishBuses(ngx_conf_t* cf, const MainConfig& config) noexcept {
    return std::ranges::all_of(busesOf(config), [cf](BusConfig* bus) noexcept {
        findResolver(cf, *bus);
        return (bus->resolver != nullptr || resolveNames(cf, *bus)) && addMemory(cf, *bus);
    });
}

} // namespace sse
