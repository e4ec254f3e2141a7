// Which locations anybody can reach, as nginx's own modules for access control decide.
#pragma once

#include "ngx.hpp"

namespace sse {

// The subset of `methods` with which anybody, from any address and without credentials, reaches the location.
// To be called after all modules have merged all locations. Third-party modules are not known, so this is for
// warnings only.
ngx_uint_t openMethods(const ngx_cycle_t& cycle, const ngx_http_core_loc_conf_t& location,
                       ngx_uint_t methods) noexcept;

} // namespace sse
