// Cross-origin requests: sse_cors.
#pragma once

#include "ngx.hpp"

namespace sse {

// Has requests to locations with sse_cors pass by before the access phase: so that preflights need no
// credentials, and refusals carry the headers too (a browser takes an error without them for the end).
ngx_int_t addCorsHandler(ngx_conf_t* cf) noexcept;

} // namespace sse
