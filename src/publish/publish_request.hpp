// What a publishing request asks for: how its body is framed, the defaults of its events, and whether the
// body can be read at all.
#pragma once

#include "conf/config.hpp"
#include "http/request_context.hpp"
#include "publish/intake.hpp"

namespace sse {

// Whether the request publishes: POST or PUT, or what nginx has turned into a GET with the body of one.
bool isPublishing(const ngx_http_request_t& r) noexcept;

// Whether the client has sent POST or PUT and nginx has turned it into GET.
bool isTurnedIntoGet(const ngx_http_request_t& r) noexcept;

// Whether the request is not as its client has sent it: a subrequest, or after a redirect inside nginx. Then
// what the client says about events does not count: it was not meant for us.
inline bool isForeign(const ngx_http_request_t& r) noexcept {
    return &r != r.main || r.internal;
}

// Why a body may not name that channel.
Refusal checkBodyChannel(const LocationConfig& config, std::string_view channel) noexcept;

// How the body is to be read, according to the location and the head. `channel`: its name.
Intake::Options intakeOptions(ngx_http_request_t* r, std::string_view channel,
                              bool hasPreconditions) noexcept;

// Whether publishers may not use that type in the location.
bool isReservedType(ngx_http_request_t* r, std::string_view type) noexcept;

// Whether the channel is to end with the body. Returns why the request is refused.
Refusal readEnd(ngx_http_request_t* r, bool& ends) noexcept;

// Evaluates what the directives say about the events, for the intake, and checks what the head says about the
// body. Returns why the request is refused.
Refusal readPublishRequest(ngx_http_request_t* r, Intake& intake) noexcept;

// Counts a request that publishes as refused; it is answered in another way.
void countRefusedPublish(ngx_http_request_t* r, Refusal refusal) noexcept;

// Refuses a request that publishes, and counts it.
ngx_int_t refusePublish(ngx_http_request_t* r, Refusal refusal, const RefusalFacts& facts = {}) noexcept;

} // namespace sse
