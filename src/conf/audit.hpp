// Checks that are possible only when the whole configuration has been read.
#pragma once

#include "ngx.hpp"

namespace sse {

// Rejects "ssi" for responses of the module, and warns about locations where anybody can publish, kick, list
// channels or read the status, and about limits that do not hold across machines. For the postconfiguration,
// when every module has merged every location, blocks of "limit_except" included.
//
// nginx-internal: http/ngx_http.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_http_block() merges all locations
// before it calls any postconfiguration.
ngx_int_t auditEndpoints(ngx_conf_t* cf) noexcept;

} // namespace sse
