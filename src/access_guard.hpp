// Warns at "nginx -t" about publish locations that anybody can reach.
#pragma once

#include "ngx.hpp"

namespace sse {

// Whether the location that is being merged is internal, or nginx's own modules for access control have
// something to say in it. Modules of others are not known, so this is for a warning only.
bool isGuarded(ngx_conf_t* cf) noexcept;

} // namespace sse
