// Notices the end of a client while its request is served and nothing is sent to it yet.
#pragma once

#include "ngx.hpp"

namespace sse {

// From here on `handler` is called when the client sends something, or is gone. false: nginx cannot watch the
// connection.
bool watchClient(ngx_http_request_t* r, ngx_http_event_handler_pt handler) noexcept;

// Whether the client is gone. Call this in such a handler; what has arrived is left for the next request.
bool hasClientGone(ngx_http_request_t* r) noexcept;

} // namespace sse
