// The module: its directives and its life. Reads like a table of contents; everything else is elsewhere.
#include <cstddef>

#include "conf/audit.hpp"
#include "conf/config.hpp"
#include "conf/directives.hpp"
#include "http/cors.hpp"
#include "http/header_filter.hpp"
#include "http/request_context.hpp"
#include "ngx.hpp"
#include "roster/registry.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

using Setter = char* (*)(ngx_conf_t*, ngx_command_t*, void*);

constexpr ngx_uint_t kAnyLevel = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

ngx_conf_enum_t framings[] = {
    {ngx_string("auto"), static_cast<ngx_uint_t>(Framing::Auto)},
    {ngx_string("content_type"), static_cast<ngx_uint_t>(Framing::ContentType)},
    {ngx_string("event"), static_cast<ngx_uint_t>(Framing::Event)},
    {ngx_string("lines"), static_cast<ngx_uint_t>(Framing::Lines)},
    {ngx_string("ndjson"), static_cast<ngx_uint_t>(Framing::Ndjson)},
    {ngx_string("sse"), static_cast<ngx_uint_t>(Framing::Sse)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t gapModes[] = {
    {ngx_string("event"), static_cast<ngx_uint_t>(GapMode::Event)},
    {ngx_string("close"), static_cast<ngx_uint_t>(GapMode::Close)},
    {ngx_string("off"), static_cast<ngx_uint_t>(GapMode::Off)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t invalidUtf8Modes[] = {
    {ngx_string("replace"), static_cast<ngx_uint_t>(InvalidUtf8::Replace)},
    {ngx_string("reject"), static_cast<ngx_uint_t>(InvalidUtf8::Reject)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t bodyIdModes[] = {
    {ngx_string("keep"), static_cast<ngx_uint_t>(BodyIds::Keep)},
    {ngx_string("ignore"), static_cast<ngx_uint_t>(BodyIds::Ignore)},
    {ngx_null_string, 0},
};

ngx_conf_num_bounds_t channelBounds = {ngx_conf_check_num_bounds, 1, kMostChannels};
ngx_conf_post_t positive = {checkPositive};

ngx_command_t httpDirective(ngx_str_t name, ngx_uint_t arguments, Setter set, size_t offset = 0) noexcept {
    return {name, NGX_HTTP_MAIN_CONF | arguments, set, NGX_HTTP_MAIN_CONF_OFFSET, offset, nullptr};
}

// Says what a location is, so it belongs nowhere else.
ngx_command_t endpoint(ngx_str_t name, ngx_uint_t arguments, Setter set) noexcept {
    return {name, NGX_HTTP_LOC_CONF | arguments, set, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr};
}

ngx_command_t setting(ngx_str_t name, ngx_uint_t arguments, Setter set, size_t offset = 0,
                      void* post = nullptr) noexcept {
    return {name, kAnyLevel | arguments, set, NGX_HTTP_LOC_CONF_OFFSET, offset, post};
}

#define AT(member) offsetof(LocationConfig, member)

ngx_command_t directives[] = {
    httpDirective(ngx_string("sse_zone"), NGX_CONF_TAKE23, setZone),
    httpDirective(ngx_string("sse_drain"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot,
                  offsetof(MainConfig, drain)),

    endpoint(ngx_string("sse_channel"), NGX_CONF_1MORE, setChannel),
    endpoint(ngx_string("sse_publish"), NGX_CONF_TAKE12, setPublish),
    endpoint(ngx_string("sse_status"), NGX_CONF_ANY, setStatus),

    setting(ngx_string("sse_start"), NGX_CONF_TAKE1, setStart),
    setting(ngx_string("sse_cursor"), NGX_CONF_1MORE, setCursor),
    setting(ngx_string("sse_history"), NGX_CONF_TAKE12, setHistory),
    setting(ngx_string("sse_retry"), NGX_CONF_TAKE12, setRetry),
    setting(ngx_string("sse_heartbeat"), NGX_CONF_TAKE12, setHeartbeat),
    setting(ngx_string("sse_prime"), NGX_CONF_TAKE1, setPrime),
    setting(ngx_string("sse_gap"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(gap), &gapModes),
    setting(ngx_string("sse_send_timeout"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot, AT(askedSendTimeout),
            &positive),
    setting(ngx_string("sse_direct"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(direct)),
    setting(ngx_string("sse_max_channels"), NGX_CONF_TAKE1, ngx_conf_set_num_slot, AT(maxChannels),
            &channelBounds),

    setting(ngx_string("sse_max_event_size"), NGX_CONF_TAKE1, ngx_conf_set_size_slot, AT(askedEventSize)),
    setting(ngx_string("sse_framing"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(framing), &framings),
    setting(ngx_string("sse_event_type"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(eventType)),
    setting(ngx_string("sse_event_id"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(eventId)),
    setting(ngx_string("sse_event_retry"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(eventRetry)),
    setting(ngx_string("sse_publish_timeout"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot, AT(publishTimeout),
            &positive),
    setting(ngx_string("sse_allow_types"), NGX_CONF_1MORE, setAllowTypes),
    setting(ngx_string("sse_invalid_utf8"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(invalidUtf8),
            &invalidUtf8Modes),
    setting(ngx_string("sse_body_ids"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(bodyIds), &bodyIdModes),
    setting(ngx_string("sse_max_events"), NGX_CONF_TAKE1, ngx_conf_set_num_slot, AT(maxEvents)),
    setting(ngx_string("sse_max_rate"), NGX_CONF_TAKE1, ngx_conf_set_num_slot, AT(maxRate)),
    setting(ngx_string("sse_max_client_memory"), NGX_CONF_TAKE1, ngx_conf_set_size_slot, AT(maxClientMemory)),
    setting(ngx_string("sse_check_origin"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(checkOrigin)),

    setting(ngx_string("sse_cors"), NGX_CONF_1MORE, setCors),
    setting(ngx_string("sse_cors_headers"), NGX_CONF_1MORE, setCorsHeaders),
#ifdef SSE_FAULTS
    setting(ngx_string("sse_test_crash_at"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(crashAt)),
#endif
    {ngx_null_string, 0, nullptr, 0, 0, nullptr},
};

#undef AT

ngx_int_t preconfiguration(ngx_conf_t* cf) noexcept {
    return addVariables(cf);
}

ngx_int_t postconfiguration(ngx_conf_t* cf) noexcept {
    addHeaderFilter([](ngx_http_request_t* r) { Worker::self().noteEnd(r); });
    return auditEndpoints(cf) == NGX_OK ? addPreflightHandler(cf) : NGX_ERROR;
}

ngx_http_module_t context = {
    preconfiguration, postconfiguration, createMainConfig,     initMainConfig,
    nullptr,          nullptr,           createLocationConfig, mergeLocationConfig,
};

// NULL without an http block or without a zone: nothing to do then.
MainConfig* activeConfig(ngx_cycle_t* cycle) noexcept {
    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == nullptr) {
        return nullptr;
    }
    auto* config = static_cast<MainConfig*>(ngx_http_cycle_get_module_main_conf(cycle, ngx_http_sse_module));
    return config == nullptr || config->workers == nullptr ? nullptr : config;
}

// In the master, also under "nginx -t". An error here would end a master that is being reloaded.
ngx_int_t initModule(ngx_cycle_t* cycle) noexcept {
    const MainConfig* config = activeConfig(cycle);
    if (config != nullptr && !ngx_test_config) {
        Registry::makeEventfds(cycle);
        takeOverZones(cycle, {static_cast<Zone* const*>(config->zones.elts), config->zones.nelts});
    }
    return NGX_OK;
}

ngx_int_t initProcess(ngx_cycle_t* cycle) noexcept {
    MainConfig* config = activeConfig(cycle);
    bool serves = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
    return config == nullptr || !serves ? NGX_OK : Worker::self().start(cycle, *config);
}

void exitProcess(ngx_cycle_t*) noexcept {
    Worker::self().stop();
}

} // namespace

} // namespace sse

__attribute__((visibility("default"))) ngx_module_t ngx_http_sse_module = {
    NGX_MODULE_V1,    &sse::context, sse::directives, NGX_HTTP_MODULE,  nullptr, sse::initModule,
    sse::initProcess, nullptr,       nullptr,         sse::exitProcess, nullptr, NGX_MODULE_V1_PADDING,
};
