// The end of a client while its request is served without a word in between.
#pragma once

#include "ngx.hpp"

namespace sse {

// From here on that handler is called when the client sends something, or is gone. false: nginx cannot watch
// the connection.
bool watchClient(ngx_http_request_t* r, ngx_http_event_handler_pt handler) noexcept;

// Whether the client is gone; for such a handler, which leaves what has arrived for the next request.
bool hasClientGone(ngx_http_request_t* r) noexcept;

} // namespace sse
