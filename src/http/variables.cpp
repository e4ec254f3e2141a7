#include "http/request_context.hpp"

#include <algorithm>
#include <new>
#include <span>

#include "bus/bus_fault.hpp"
#include "conf/bus_config.hpp"
#include "conf/config.hpp"

namespace sse {

namespace {

enum class Variable : uintptr_t { Channel, Events, LastId, Reason, Subscribers, Bus };

std::string_view reasonText(CloseReason reason) noexcept {
    return reason == CloseReason::None ? std::string_view() : kNames<CloseReason>[at(reason)];
}

std::string_view number(ngx_http_request_t* r, uint64_t value) noexcept {
    auto* text = static_cast<u_char*>(ngx_pnalloc(r->pool, NGX_INT64_LEN));
    if (text == nullptr) {
        return {};
    }
    return {reinterpret_cast<char*>(text), static_cast<size_t>(ngx_sprintf(text, "%uL", value) - text)};
}

std::string_view idText(ngx_http_request_t* r, EventId id) noexcept {
    auto* text = static_cast<char*>(ngx_pnalloc(r->pool, kMaxEventIdText));
    return text == nullptr || id == EventId{} ? std::string_view()
                                              : std::string_view(text, formatEventId(id, text));
}

// The zone of the location. For a location without one, such as one that a probe asks, the zone with a bus,
// if there is exactly one. NULL otherwise.
const Zone* zoneInQuestion(ngx_http_request_t* r) noexcept {
    if (const Zone* own = locationConfig(r)->zone; own != nullptr) {
        return own;
    }
    const ngx_array_t& array = mainConfig(r)->zones;
    const std::span zones(static_cast<const Zone* const*>(array.elts), array.nelts);
    const auto hasBus = [](const Zone* zone) noexcept { return zone->bus != nullptr; };
    return std::ranges::count_if(zones, hasBus) == 1 ? *std::ranges::find_if(zones, hasBus) : nullptr;
}

std::string_view busWord(ngx_http_request_t* r) noexcept {
    const Zone* zone = zoneInQuestion(r);
    if (zone == nullptr || zone->bus == nullptr) {
        return {};
    }
    return faultOf(*zone->bus->state) == BusFault::None ? "up" : "down";
}

// All but the state of the bus, which belongs to no request.
std::string_view valueOf(ngx_http_request_t* r, const RequestContext& context, Variable variable) noexcept {
    switch (variable) {
    case Variable::Channel:
        return toView(context.channel);
    case Variable::Events:
        return number(r, context.events);
    case Variable::LastId:
        return idText(r, context.lastId);
    case Variable::Reason:
        return reasonText(context.reason);
    case Variable::Subscribers:
        return number(r, context.subscribers);
    case Variable::Bus:
        break;
    }
    return {};
}

ngx_int_t getVariable(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t which) noexcept {
    const auto variable = static_cast<Variable>(which);
    const RequestContext* context = contextOf(r);
    std::string_view text = variable == Variable::Bus ? busWord(r)
                            : context == nullptr      ? std::string_view()
                                                      : valueOf(r, *context, variable);
    value->not_found = text.empty() ? 1 : 0;
    value->valid = 1;
    value->no_cacheable = 1;
    value->len = static_cast<unsigned>(text.size()) & 0xfffffff;
    value->data = ngxString(text).data;
    return NGX_OK;
}

struct Name {
    ngx_str_t text;
    Variable variable;
};

} // namespace

RequestContext* makeContext(ngx_http_request_t* r) noexcept {
    void* memory = ngx_palloc(r->pool, sizeof(RequestContext));
    if (memory == nullptr) {
        return nullptr;
    }
    auto* context = new (memory) RequestContext{};
    ngx_http_set_ctx(r, context, ngx_http_sse_module);
    return context;
}

ngx_int_t addVariables(ngx_conf_t* cf) noexcept {
    Name names[] = {
        {ngx_string("sse_channel"), Variable::Channel},
        {ngx_string("sse_events"), Variable::Events},
        {ngx_string("sse_last_event_id"), Variable::LastId},
        {ngx_string("sse_close_reason"), Variable::Reason},
        {ngx_string("sse_subscribers"), Variable::Subscribers},
        {ngx_string("sse_bus"), Variable::Bus},
    };
    for (Name& name : names) {
        ngx_http_variable_t* variable = ngx_http_add_variable(cf, &name.text, NGX_HTTP_VAR_NOCACHEABLE);
        if (variable == nullptr) {
            return NGX_ERROR;
        }
        variable->get_handler = getVariable;
        variable->data = static_cast<uintptr_t>(name.variable);
    }
    return NGX_OK;
}

} // namespace sse
