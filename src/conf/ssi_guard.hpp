// Whether server-side includes apply to the responses of an endpoint.
#pragma once

#include "ngx.hpp"

namespace sse {

// Whether "ssi" is on in the location for answers of that type, which is in lower case. For use after all
// modules have merged all locations.
bool isSsiOn(const ngx_cycle_t& cycle, const ngx_http_core_loc_conf_t& location,
             std::string_view type) noexcept;

} // namespace sse
