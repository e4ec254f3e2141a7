// What a publishing request asks for: how its body is framed, what its events have, and whether the body can
// be read at all.
#pragma once

#include "http/request_context.hpp"
#include "publish/intake.hpp"

namespace sse {

// Whether the request publishes: POST or PUT, or what nginx has turned into a GET with the body of one.
bool isPublishing(const ngx_http_request_t& r) noexcept;

// The same, where the client has sent POST or PUT and nginx has turned it into GET.
bool isTurnedIntoGet(const ngx_http_request_t& r) noexcept;

// Whether the request is not as its client has sent it: a subrequest, or after a redirect inside nginx. What
// the client says of events must not count then: nobody has meant it for us.
inline bool isForeign(const ngx_http_request_t& r) noexcept {
    return &r != r.main || r.internal;
}

// How the events of the body are to be taken, by the location and the type of the body.
Intake::Options intakeOptions(ngx_http_request_t* r) noexcept;

// Whether the location keeps publishers from giving events that type.
bool isReservedType(ngx_http_request_t* r, std::string_view type) noexcept;

// Evaluates what the directives say of the events, for the intake, and checks what the head says of the body.
// Returns why the request is refused.
Refusal readPublishRequest(ngx_http_request_t* r, Intake& intake) noexcept;

} // namespace sse
