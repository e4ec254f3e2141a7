#include "conf/directives.hpp"

#include <cstddef>

#include "conf/bus_words.hpp"
#include "conf/config.hpp"
#include "conf/cors_words.hpp"
#include "conf/endpoint_words.hpp"
#include "conf/publish_words.hpp"
#include "conf/stream_words.hpp"
#include "conf/words.hpp"
#include "conf/zone_words.hpp"

namespace sse {

namespace {

ngx_conf_enum_t framings[] = {
    {ngx_string("auto"), numberOf(Framing::Auto)},
    {ngx_string("content_type"), numberOf(Framing::ContentType)},
    {ngx_string("event"), numberOf(Framing::Event)},
    {ngx_string("lines"), numberOf(Framing::Lines)},
    {ngx_string("ndjson"), numberOf(Framing::Ndjson)},
    {ngx_string("sse"), numberOf(Framing::Sse)},
    {ngx_string("form"), numberOf(Framing::Form)},
    {ngx_string("json"), numberOf(Framing::Json)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t absentModes[] = {
    {ngx_string("wait"), numberOf(Absent::Wait)},
    {ngx_string("204"), numberOf(Absent::NoContent)},
    {ngx_string("404"), numberOf(Absent::NotFound)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t batchModes[] = {
    {ngx_string("off"), numberOf(BatchMode::Off)},
    {ngx_string("atomic"), numberOf(BatchMode::Atomic)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t mergeModes[] = {
    {ngx_string("off"), numberOf(MergeMode::Off)},
    {ngx_string("data"), numberOf(MergeMode::Data)},
    {ngx_string("lines"), numberOf(MergeMode::Lines)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t profiles[] = {
    {ngx_string("model"), numberOf(Profile::Model)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t invalidUtf8Modes[] = {
    {ngx_string("replace"), numberOf(InvalidUtf8::Replace)},
    {ngx_string("reject"), numberOf(InvalidUtf8::Reject)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t bodyIdModes[] = {
    {ngx_string("keep"), numberOf(BodyIds::Keep)},
    {ngx_string("ignore"), numberOf(BodyIds::Ignore)},
    {ngx_null_string, 0},
};

// For ngx_conf_post_t: a time that must not be 0.
char* checkPositive(ngx_conf_t* cf, void*, void* value) noexcept {
    if (*static_cast<ngx_msec_t*>(value) != 0) {
        return NGX_CONF_OK;
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" must be greater than 0",
                       static_cast<ngx_str_t*>(cf->args->elts));
    return kError;
}

char* checkMaxBatch(ngx_conf_t* cf, void*, void* value) noexcept {
    const size_t size = *static_cast<size_t*>(value);
    if (size >= kLeastMaxBatch && size <= kMostMaxBatch) {
        return NGX_CONF_OK;
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"sse_max_batch\" must be between %uz and %uz bytes",
                       kLeastMaxBatch, kMostMaxBatch);
    return kError;
}

ngx_conf_num_bounds_t channelBounds = {ngx_conf_check_num_bounds, 1, kMostChannels};
ngx_conf_post_t positive = {checkPositive};
ngx_conf_post_t maxBatch = {checkMaxBatch};

using Setter = char* (*)(ngx_conf_t*, ngx_command_t*, void*);

constexpr ngx_uint_t kAnyLevel = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

ngx_command_t httpDirective(ngx_str_t name, ngx_uint_t arguments, Setter set, size_t offset = 0) noexcept {
    return {name, NGX_HTTP_MAIN_CONF | arguments, set, NGX_HTTP_MAIN_CONF_OFFSET, offset, nullptr};
}

// Says what a location is, so it is valid at no other level.
ngx_command_t endpoint(ngx_str_t name, ngx_uint_t arguments, Setter set) noexcept {
    return {name, NGX_HTTP_LOC_CONF | arguments, set, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr};
}

ngx_command_t setting(ngx_str_t name, ngx_uint_t arguments, Setter set, size_t offset = 0,
                      void* post = nullptr) noexcept {
    return {name, kAnyLevel | arguments, set, NGX_HTTP_LOC_CONF_OFFSET, offset, post};
}

} // namespace

#define AT(member) offsetof(LocationConfig, member)

// A new directive touches this table, config.hpp (what it sets) and config.cpp (its default and how it is
// inherited). If nginx has no setter for it, one of the files *_words.cpp has.
ngx_command_t directives[] = {
    httpDirective(ngx_string("sse_zone"), NGX_CONF_TAKE23, setZone),
#ifndef SSE_WITHOUT_BUS
    httpDirective(ngx_string("sse_bus"), NGX_CONF_2MORE, setBus),
#endif
    httpDirective(ngx_string("sse_drain"), NGX_CONF_TAKE12, setDrain),
    httpDirective(ngx_string("sse_keys"), NGX_CONF_TAKE1, setKeys),

    endpoint(ngx_string("sse_channel"), NGX_CONF_1MORE, setChannel),
    endpoint(ngx_string("sse_publish"), NGX_CONF_TAKE12, setPublish),
    endpoint(ngx_string("sse_status"), NGX_CONF_ANY, setStatus),
    endpoint(ngx_string("sse_health"), NGX_CONF_ANY, setHealth),
    endpoint(ngx_string("sse_kick"), NGX_CONF_NOARGS | NGX_CONF_TAKE1, setKick),
    endpoint(ngx_string("sse_later"), NGX_CONF_NOARGS | NGX_CONF_TAKE12, setLater),
    endpoint(ngx_string("sse_list"), NGX_CONF_1MORE, setList),

    setting(ngx_string("sse_start"), NGX_CONF_TAKE1, setStart),
    setting(ngx_string("sse_cursor"), NGX_CONF_1MORE, setCursor),
    setting(ngx_string("sse_history"), NGX_CONF_TAKE12, setHistory),
    setting(ngx_string("sse_retry"), NGX_CONF_TAKE12, setRetry),
    setting(ngx_string("sse_heartbeat"), NGX_CONF_TAKE12, setHeartbeat),
    setting(ngx_string("sse_prime"), NGX_CONF_TAKE1, setPrime),
    setting(ngx_string("sse_gap"), NGX_CONF_TAKE1, setGap),
    setting(ngx_string("sse_caught_up"), NGX_CONF_TAKE1, setCaughtUp),
    setting(ngx_string("sse_absent"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(absent), &absentModes),
    setting(ngx_string("sse_end_event"), NGX_CONF_TAKE123, setEndEvent),
    setting(ngx_string("sse_lifetime"), NGX_CONF_TAKE12, setLifetime),
    setting(ngx_string("sse_expires"), NGX_CONF_TAKE12, setExpires),
    setting(ngx_string("sse_profile"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(profile), &profiles),
    setting(ngx_string("sse_send_timeout"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot, AT(askedSendTimeout),
            &positive),
    setting(ngx_string("sse_direct"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(direct)),
    setting(ngx_string("sse_merge"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(merge), &mergeModes),
    setting(ngx_string("sse_max_channels"), NGX_CONF_TAKE1, ngx_conf_set_num_slot, AT(maxChannels),
            &channelBounds),
    setting(ngx_string("sse_poll"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(poll)),

    setting(ngx_string("sse_key"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(key)),
    setting(ngx_string("sse_max_subscribers"), NGX_CONF_TAKE12, setMaxSubscribers),
    setting(ngx_string("sse_reject"), NGX_CONF_TAKE123, setReject),

    setting(ngx_string("sse_max_event_size"), NGX_CONF_TAKE1, ngx_conf_set_size_slot, AT(askedEventSize)),
    setting(ngx_string("sse_framing"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(framing), &framings),
    setting(ngx_string("sse_event_type"), NGX_CONF_TAKE1, setEventType, AT(eventType)),
    setting(ngx_string("sse_event_id"), NGX_CONF_TAKE1, setEventId, AT(eventId)),
    setting(ngx_string("sse_event_retry"), NGX_CONF_TAKE1, setEventRetry, AT(eventRetry)),
    setting(ngx_string("sse_event_encoding"), NGX_CONF_TAKE1, setEventEncoding, AT(eventEncoding)),
    setting(ngx_string("sse_publish_end"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(publishEnd)),
    setting(ngx_string("sse_reopen"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(reopen)),
    setting(ngx_string("sse_batch"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(batch), &batchModes),
    setting(ngx_string("sse_max_batch"), NGX_CONF_TAKE1, ngx_conf_set_size_slot, AT(maxBatch), &maxBatch),
    setting(ngx_string("sse_publish_timeout"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot, AT(publishTimeout),
            &positive),
    setting(ngx_string("sse_allow_types"), NGX_CONF_1MORE, setAllowTypes),
    setting(ngx_string("sse_body_channels"), NGX_CONF_1MORE, setBodyChannels),
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

} // namespace sse
