// The way around nginx's filter chain.
#pragma once

#include "ngx.hpp"

namespace sse {

// Whether the bytes that follow can go to the connection as they are, apart from the framing of chunks: no
// filter has a part in the response, nothing of it is held back, and its rate is not limited. Call this when
// its header and first bytes have been sent.
bool mayBypassFilters(ngx_http_request_t* r) noexcept;

} // namespace sse
