// What the module remembers of a request for the access log and the variables; lives as long as the request's
// pool.
#pragma once

#include "counters/counts.hpp"
#include "log/event_id.hpp"
#include "ngx.hpp"

namespace sse {

class Subscriber;
class Poller;
class Publisher;
class ChannelWait;
class Later;
class SlicedRequest;

struct RequestContext {
    ngx_str_t channel{}; // the names, joined by commas
    uint64_t events = 0; // delivered to this subscriber, or published by this request
    EventId lastId;      // of the last of them
    CloseReason reason = CloseReason::None;
    uint32_t subscribers = 0; // of the channel, when an event was last published
    bool isPoll = false;      // it wants an answer, not a stream
    // What serves the request; lives as long as this context.
    Subscriber* subscriber = nullptr;
    Poller* poller = nullptr;
    Publisher* publisher = nullptr;
    ChannelWait* channelWait = nullptr;
    Later* later = nullptr;
    SlicedRequest* sliced = nullptr;
};

inline RequestContext* contextOf(ngx_http_request_t* r) noexcept {
    return static_cast<RequestContext*>(ngx_http_get_module_ctx(r, ngx_http_sse_module));
}

// Makes the context and attaches it; NULL without memory.
RequestContext* makeContext(ngx_http_request_t* r) noexcept;

// Adds the $sse_… variables while the configuration is read.
ngx_int_t addVariables(ngx_conf_t* cf) noexcept;

} // namespace sse
