// The status as a page, for users without a monitoring system.
#pragma once

#include "ngx.hpp"

namespace sse {

// Sends the page, which asks the same location for its JSON (?json) again and again. Returns what a content
// handler returns.
ngx_int_t sendStatusPage(ngx_http_request_t* r) noexcept;

} // namespace sse
