#include "conf/config.hpp"

#include <algorithm>

#ifndef SSE_WITHOUT_BUS
#include "conf/bus_words.hpp"
#endif
#include "conf/endpoint.hpp"
#include "keys/keys.hpp"
#include "roster/registry.hpp"
#include "sse/notices.hpp"

namespace sse {

namespace {

constexpr ngx_uint_t kDefaultMaxChannels = 16;
constexpr ngx_uint_t kDefaultMaxRate = 0;
constexpr size_t kDefaultMaxBatch = 1024 * 1024;
constexpr size_t kDefaultClientMemory = 64 * 1024 * 1024;

// What clients of language models expect: events from the first one on, and the sentinel at the end.
void applyProfile(LocationConfig& config) noexcept {
    if (config.profile != numberOf(Profile::Model)) {
        return;
    }
    if (config.start == NGX_CONF_UNSET_UINT) {
        config.start = numberOf(Start::Earliest);
    }
    if (config.prime == NGX_CONF_UNSET_UINT) {
        config.prime = numberOf(Prime::Off);
    }
    if (config.gap == NGX_CONF_UNSET_UINT) {
        config.gap = numberOf(GapMode::Off);
    }
    if (config.heartbeat == NGX_CONF_UNSET_MSEC) {
        config.heartbeat = kDefaultHeartbeat;
    }
    if (config.caughtUpEvent.data == nullptr) {
        config.caughtUpEvent = ngx_string("");
    }
    if (config.endsWithEvent == NGX_CONF_UNSET) {
        config.endsWithEvent = 1;
        config.endData = ngx_string("[DONE]");
    }
    if (config.poll == NGX_CONF_UNSET) {
        config.poll = 0; // several of them ask for JSON and read a stream
    }
}

void mergeWhoMayListen(LocationConfig& parent, LocationConfig& config) noexcept {
    ngx_conf_merge_ptr_value(config.key, parent.key, nullptr);
    for (size_t scope = 0; scope < std::size(config.maxSubscribers); ++scope) {
        ngx_conf_merge_uint_value(config.maxSubscribers[scope], parent.maxSubscribers[scope], 0);
    }
    if (config.reject == NGX_CONF_UNSET_UINT) {
        bool unset = parent.reject == NGX_CONF_UNSET_UINT;
        config.reject = unset ? numberOf(Reject::Hard) : parent.reject;
        config.rejectTime = parent.rejectTime;
    }
}

void mergeSubscribing(LocationConfig& parent, LocationConfig& config, ngx_msec_t sendTimeout) noexcept {
    if (config.start == NGX_CONF_UNSET_UINT) {
        bool unset = parent.start == NGX_CONF_UNSET_UINT;
        config.start = unset ? numberOf(Start::New) : parent.start;
        config.startCount = parent.startCount;
        config.startExpression = parent.startExpression;
    }
    ngx_conf_merge_ptr_value(config.cursors, parent.cursors, nullptr);
    if (config.historyCount == NGX_CONF_UNSET_UINT) {
        bool unset = parent.historyCount == NGX_CONF_UNSET_UINT;
        config.historyCount = unset ? NGX_MAX_INT_T_VALUE : parent.historyCount;
        config.historyAge = unset ? 0 : parent.historyAge;
    }
    if (config.retry == NGX_CONF_UNSET_MSEC) {
        bool unset = parent.retry == NGX_CONF_UNSET_MSEC;
        config.retry = unset ? 3000 : parent.retry;
        config.retryJitter = unset ? 33 : parent.retryJitter;
    }
    if (config.heartbeat == NGX_CONF_UNSET_MSEC) {
        bool unset = parent.heartbeat == NGX_CONF_UNSET_MSEC;
        config.heartbeat = unset ? kDefaultHeartbeat : parent.heartbeat;
        config.heartbeatEvent = parent.heartbeatEvent;
    }
    if (config.prime == NGX_CONF_UNSET_UINT) {
        bool unset = parent.prime == NGX_CONF_UNSET_UINT;
        config.prime = unset ? numberOf(Prime::Event) : parent.prime;
        config.primeEvent = unset ? ngxString(kReadyType) : parent.primeEvent;
    }
    if (config.gap == NGX_CONF_UNSET_UINT) {
        bool unset = parent.gap == NGX_CONF_UNSET_UINT;
        config.gap = unset ? numberOf(GapMode::Event) : parent.gap;
        config.gapEvent = unset ? ngxString(kGapType) : parent.gapEvent;
    }
    if (config.caughtUpEvent.data == nullptr) {
        config.caughtUpEvent = parent.caughtUpEvent;
    }
    ngx_conf_merge_uint_value(config.absent, parent.absent, numberOf(Absent::Wait));
    if (config.endsWithEvent == NGX_CONF_UNSET) {
        bool unset = parent.endsWithEvent == NGX_CONF_UNSET;
        config.endsWithEvent = unset ? 0 : parent.endsWithEvent;
        config.endEvent = parent.endEvent;
        config.endData = parent.endData;
        config.endRetry = unset ? kDefaultEndRetry : parent.endRetry;
    }
    if (config.lifetime == NGX_CONF_UNSET_MSEC) {
        bool unset = parent.lifetime == NGX_CONF_UNSET_MSEC;
        config.lifetime = unset ? 0 : parent.lifetime;
        config.lifetimeJitter = parent.lifetimeJitter;
    }
    if (config.expires == NGX_CONF_UNSET_PTR) {
        bool unset = parent.expires == NGX_CONF_UNSET_PTR;
        config.expires = unset ? nullptr : parent.expires;
        config.expiredEvent = unset ? ngxString(kExpiredType) : parent.expiredEvent;
    }
    ngx_conf_merge_msec_value(config.askedSendTimeout, parent.askedSendTimeout, NGX_CONF_UNSET_MSEC);
    bool isAsked = config.askedSendTimeout != NGX_CONF_UNSET_MSEC;
    config.sendTimeout = isAsked ? config.askedSendTimeout : sendTimeout;
    ngx_conf_merge_value(config.direct, parent.direct, 1);
    ngx_conf_merge_uint_value(config.merge, parent.merge, numberOf(MergeMode::Off));
    ngx_conf_merge_uint_value(config.maxChannels, parent.maxChannels, kDefaultMaxChannels);
    ngx_conf_merge_value(config.poll, parent.poll, 1);
    mergeWhoMayListen(parent, config);
}

void mergePublishing(LocationConfig& parent, LocationConfig& config) noexcept {
    ngx_conf_merge_size_value(config.askedEventSize, parent.askedEventSize, NGX_CONF_UNSET_SIZE);
    ngx_conf_merge_uint_value(config.framing, parent.framing, numberOf(Framing::Auto));
    ngx_conf_merge_ptr_value(config.eventType, parent.eventType, nullptr);
    ngx_conf_merge_ptr_value(config.eventId, parent.eventId, nullptr);
    ngx_conf_merge_ptr_value(config.eventRetry, parent.eventRetry, nullptr);
    ngx_conf_merge_ptr_value(config.eventEncoding, parent.eventEncoding, nullptr);
    ngx_conf_merge_ptr_value(config.publishEnd, parent.publishEnd, nullptr);
    ngx_conf_merge_value(config.reopen, parent.reopen, 1);
    ngx_conf_merge_uint_value(config.batch, parent.batch, numberOf(BatchMode::Off));
    ngx_conf_merge_size_value(config.maxBatch, parent.maxBatch, kDefaultMaxBatch);
    ngx_conf_merge_msec_value(config.publishTimeout, parent.publishTimeout, 3600 * 1000);
    if (config.allowedTypes == NGX_CONF_UNSET_PTR) {
        bool unset = parent.allowedTypes == NGX_CONF_UNSET_PTR;
        config.allowedTypes = unset ? nullptr : parent.allowedTypes;
        config.allowsAllTypes = unset ? 0 : parent.allowsAllTypes;
    }
    if (config.bodyChannels == NGX_CONF_UNSET_PTR) {
        bool unset = parent.bodyChannels == NGX_CONF_UNSET_PTR;
        config.bodyChannels = unset ? nullptr : parent.bodyChannels;
        config.allowsAllChannels = unset ? 0 : parent.allowsAllChannels;
    }
    ngx_conf_merge_uint_value(config.invalidUtf8, parent.invalidUtf8, numberOf(InvalidUtf8::Auto));
    ngx_conf_merge_uint_value(config.bodyIds, parent.bodyIds, numberOf(BodyIds::Keep));
    ngx_conf_merge_uint_value(config.maxEvents, parent.maxEvents, NGX_CONF_UNSET_UINT);
    ngx_conf_merge_uint_value(config.maxRate, parent.maxRate, kDefaultMaxRate);
    ngx_conf_merge_size_value(config.maxClientMemory, parent.maxClientMemory, kDefaultClientMemory);
    ngx_conf_merge_value(config.checkOrigin, parent.checkOrigin, 1);
}

} // namespace

bool hasPrefix(std::string_view channel, std::span<const ngx_str_t> prefixes) noexcept {
    return std::ranges::any_of(prefixes, [channel](const ngx_str_t& prefix) noexcept {
        return channel.starts_with(toView(prefix));
    });
}

bool mayNameChannels(const LocationConfig& config) noexcept {
    const Framing framing = config.framingMode();
    return config.bodyChannels != nullptr && (framing == Framing::Form || framing == Framing::Json);
}

bool concerns(const ngx_array_t& names, const Zone& zone) noexcept {
    return names.nelts == 0 || std::ranges::any_of(stringsOf(names), [&zone](const ngx_str_t& name) noexcept {
               return toView(name) == toView(zone.name);
           });
}

Zone* findZone(const MainConfig& config, std::string_view name) noexcept {
    auto* zones = static_cast<Zone**>(config.zones.elts);
    for (ngx_uint_t i = 0; i < config.zones.nelts; ++i) {
        if (toView(zones[i]->name) == name) {
            return zones[i];
        }
    }
    return nullptr;
}

void* createMainConfig(ngx_conf_t* cf, const Handlers& handlers) noexcept {
    auto* config = static_cast<MainConfig*>(ngx_pcalloc(cf->pool, sizeof(MainConfig)));
    if (config == nullptr || ngx_array_init(&config->zones, cf->pool, 2, sizeof(Zone*)) != NGX_OK ||
        ngx_array_init(&config->buses, cf->pool, 1, sizeof(BusConfig*)) != NGX_OK ||
        ngx_array_init(&config->endpoints, cf->pool, 4, sizeof(Endpoint)) != NGX_OK ||
        ngx_array_init(&config->reservedTypes, cf->pool, 8, sizeof(ngx_str_t)) != NGX_OK) {
        return nullptr;
    }
    // EventSource itself fires the last two.
    for (std::string_view type :
         {kGapType, kReadyType, std::string_view("error"), std::string_view("open")}) {
        if (!addReservedType(*config, type)) {
            return nullptr;
        }
    }
    config->handlers = handlers;
    config->keysSize = NGX_CONF_UNSET_SIZE;
    config->drain = NGX_CONF_UNSET_MSEC;
    config->cut = CutMode::Abort;
    return config;
}

char* initMainConfig(ngx_conf_t* cf, void* conf) noexcept {
    auto& config = *static_cast<MainConfig*>(conf);
    ngx_conf_init_msec_value(config.drain, 5000);
    if (config.zones.nelts != 0) {
        config.workers = Registry::addZone(cf);
        if (config.workers == nullptr) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
    }
    ngx_conf_init_size_value(config.keysSize, Keys::kDefaultSize);
    const bool counts = std::ranges::any_of(config.counted, [](bool isCounted) { return isCounted; });
    if (config.zones.nelts != 0 && (config.kicks || counts)) {
        config.keys = Keys::addZone(cf, config.keysSize);
        if (config.keys == nullptr) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
    }
#ifndef SSE_WITHOUT_BUS
    if (!finishBuses(cf, config)) {
        return static_cast<char*>(NGX_CONF_ERROR);
    }
#endif
    return NGX_CONF_OK;
}

void* createLocationConfig(ngx_conf_t* cf) noexcept {
    // Zero means "not set" for all members not mentioned.
    auto* config = static_cast<LocationConfig*>(ngx_pcalloc(cf->pool, sizeof(LocationConfig)));
    if (config == nullptr) {
        return nullptr;
    }
    config->start = NGX_CONF_UNSET_UINT;
    config->cursors = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
    config->historyCount = NGX_CONF_UNSET_UINT;
    config->retry = NGX_CONF_UNSET_MSEC;
    config->heartbeat = NGX_CONF_UNSET_MSEC;
    config->prime = NGX_CONF_UNSET_UINT;
    config->gap = NGX_CONF_UNSET_UINT;
    config->absent = NGX_CONF_UNSET_UINT;
    config->lifetime = NGX_CONF_UNSET_MSEC;
    config->expires = static_cast<ngx_http_complex_value_t*>(NGX_CONF_UNSET_PTR);
    config->profile = NGX_CONF_UNSET_UINT;
    config->endsWithEvent = NGX_CONF_UNSET;
    config->askedSendTimeout = NGX_CONF_UNSET_MSEC;
    config->direct = NGX_CONF_UNSET;
    config->merge = NGX_CONF_UNSET_UINT;
    config->maxChannels = NGX_CONF_UNSET_UINT;
    config->poll = NGX_CONF_UNSET;
    config->key = static_cast<ngx_http_complex_value_t*>(NGX_CONF_UNSET_PTR);
    std::ranges::fill(config->maxSubscribers, NGX_CONF_UNSET_UINT);
    config->reject = NGX_CONF_UNSET_UINT;
    config->askedEventSize = NGX_CONF_UNSET_SIZE;
    config->framing = NGX_CONF_UNSET_UINT;
    config->eventType = static_cast<ngx_http_complex_value_t*>(NGX_CONF_UNSET_PTR);
    config->eventId = static_cast<ngx_http_complex_value_t*>(NGX_CONF_UNSET_PTR);
    config->eventRetry = static_cast<ngx_http_complex_value_t*>(NGX_CONF_UNSET_PTR);
    config->eventEncoding = static_cast<ngx_http_complex_value_t*>(NGX_CONF_UNSET_PTR);
    config->publishEnd = static_cast<ngx_http_complex_value_t*>(NGX_CONF_UNSET_PTR);
    config->reopen = NGX_CONF_UNSET;
    config->batch = NGX_CONF_UNSET_UINT;
    config->maxBatch = NGX_CONF_UNSET_SIZE;
    config->publishTimeout = NGX_CONF_UNSET_MSEC;
    config->allowedTypes = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
    config->bodyChannels = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
    config->invalidUtf8 = NGX_CONF_UNSET_UINT;
    config->bodyIds = NGX_CONF_UNSET_UINT;
    config->maxEvents = NGX_CONF_UNSET_UINT;
    config->maxRate = NGX_CONF_UNSET_UINT;
    config->maxClientMemory = NGX_CONF_UNSET_SIZE;
    config->checkOrigin = NGX_CONF_UNSET;
    config->crashAt = static_cast<ngx_http_complex_value_t*>(NGX_CONF_UNSET_PTR);
    config->origins = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
    config->corsCredentials = NGX_CONF_UNSET;
    return config;
}

// nginx-internal: http/ngx_http.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): modules merge one after the other, and
// the core is the first.
char* mergeLocationConfig(ngx_conf_t* cf, void* parentConf, void* conf) noexcept {
    auto& parent = *static_cast<LocationConfig*>(parentConf);
    auto& config = *static_cast<LocationConfig*>(conf);
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));

    inheritEndpoint(*mainConfig(cf), *core, parent, config);
    applyProfile(parent);
    applyProfile(config);
    mergeSubscribing(parent, config, core->send_timeout);
    mergePublishing(parent, config);
    ngx_conf_merge_ptr_value(config.crashAt, parent.crashAt, nullptr);
    if (config.origins == NGX_CONF_UNSET_PTR) {
        config.origins = parent.origins == NGX_CONF_UNSET_PTR ? nullptr : parent.origins;
        config.corsCredentials = parent.corsCredentials;
    }
    if (config.corsCredentials == NGX_CONF_UNSET) {
        config.corsCredentials = 0;
    }
    if (config.corsHeaders.data == nullptr) {
        config.corsHeaders =
            parent.corsHeaders.data == nullptr ? ngxString(kUsualCorsHeaders) : parent.corsHeaders;
    }
    return completeEndpoint(cf, config) ? NGX_CONF_OK : static_cast<char*>(NGX_CONF_ERROR);
}

} // namespace sse
