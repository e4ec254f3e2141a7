// sse_channel: a stream of the events of some channels.
#pragma once

#include "ngx.hpp"

namespace sse {

// The content handler.
ngx_int_t handleSubscribe(ngx_http_request_t* r) noexcept;

} // namespace sse
