// sse_publish: publishing to a channel, and asking about it.
#pragma once

#include "ngx.hpp"

namespace sse {

// The content handler.
ngx_int_t handlePublish(ngx_http_request_t* r) noexcept;

} // namespace sse
