// sse_status: the counters of zones and workers.
#pragma once

#include "ngx.hpp"

namespace sse {

// The content handler.
ngx_int_t handleStatus(ngx_http_request_t* r) noexcept;

} // namespace sse
