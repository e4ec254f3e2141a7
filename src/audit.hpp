// What can be judged only when the whole configuration has been read.
#pragma once

#include "ngx.hpp"

namespace sse {

// Warns about locations where anybody can publish or read the status. For the postconfiguration, when every
// module has merged every location, blocks of "limit_except" included.
void auditEndpoints(ngx_conf_t* cf) noexcept;

} // namespace sse
