// What can be judged only when the whole configuration has been read.
#pragma once

#include "ngx.hpp"

namespace sse {

// Refuses "ssi" on what the module answers, and warns about locations where anybody can publish or read the
// status. For the postconfiguration, when every module has merged every location, blocks of "limit_except"
// included.
ngx_int_t auditEndpoints(ngx_conf_t* cf) noexcept;

} // namespace sse
