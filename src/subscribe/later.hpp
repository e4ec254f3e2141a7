// "Come again later", as an event stream that says when, and breaks off.
//
// A browser's EventSource never comes back after a response that is not a stream, whatever its status is and
// whatever its Retry-After says. After a stream that breaks off it does come back, and waits for the time
// that `retry` has given.
#pragma once

#include "conf/config.hpp"
#include "http/request_context.hpp"
#include "ngx.hpp"

namespace sse {

// Answers in this way; returns what a content handler returns.
ngx_int_t answerLater(ngx_http_request_t* r, RequestContext& context, const LaterTime& later) noexcept;

// sse_later: the content handler.
ngx_int_t handleLater(ngx_http_request_t* r) noexcept;

} // namespace sse
