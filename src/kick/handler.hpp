// sse_kick: ends the streams of a key, of a channel, or of a key in a channel, and refuses them for a while.
#pragma once

#include "ngx.hpp"

namespace sse {

// The content handler.
ngx_int_t handleKick(ngx_http_request_t* r) noexcept;

} // namespace sse
