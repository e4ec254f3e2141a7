// sse_health: whether this machine can serve subscribers and publishers, for load balancers and probes.
#pragma once

#include "ngx.hpp"

namespace sse {

// The content handler.
ngx_int_t handleHealth(ngx_http_request_t* r) noexcept;

} // namespace sse
