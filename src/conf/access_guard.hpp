// Who can reach a location, as nginx's own modules for access control see it.
#pragma once

#include "ngx.hpp"

namespace sse {

// Those of `methods` with which anybody, from any address and without credentials, reaches the location. For
// when all modules have merged all locations. Modules of others are not known, so this is for warnings only.
ngx_uint_t openMethods(const ngx_cycle_t& cycle, const ngx_http_core_loc_conf_t& location,
                       ngx_uint_t methods) noexcept;

} // namespace sse
