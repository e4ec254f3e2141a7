// The headers in which a request says what it demands: Idempotency-Key, Producer-*, If-Match, If-None-Match.
#pragma once

#include "http/refusals.hpp"
#include "ngx.hpp"
#include "publish/preconditions.hpp"

namespace sse {

// Reads what the client demands before anything is published; the texts belong to the request. Returns why
// the request is refused.
Refusal readPreconditions(const ngx_http_request_t& r, Preconditions& preconditions) noexcept;

} // namespace sse
