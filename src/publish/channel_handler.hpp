// What a publishing location does besides publishing: GET and HEAD describe its channel, DELETE ends it.
#pragma once

#include "http/request_context.hpp"

namespace sse {

// For a request whose channel has been checked; returns what the content handler returns.
ngx_int_t handleChannel(ngx_http_request_t* r, RequestContext& context) noexcept;

} // namespace sse
