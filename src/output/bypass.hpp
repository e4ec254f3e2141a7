// The way around nginx's filter chain.
#pragma once

#include "ngx.hpp"

namespace sse {

// Whether the bytes that follow can go to the connection as they are, but for the framing of chunks: when no
// filter has shown an interest in the response, nothing of it is held back, and nobody limits its rate. To be
// asked when its header and first bytes have been sent.
bool mayBypassFilters(ngx_http_request_t* r) noexcept;

} // namespace sse
