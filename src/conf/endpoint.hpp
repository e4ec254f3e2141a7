// What makes a location an endpoint of the module, and whether it can be one.
#pragma once

#include "conf/config.hpp"

namespace sse {

// The directive that makes the location one of the six.
const char* endpointName(const LocationConfig& config) noexcept;

// While locations are merged, in this order. A block of "if" or "limit_except" becomes the same endpoint as
// its location.
void inheritEndpoint(const MainConfig& main, ngx_http_core_loc_conf_t& core, const LocationConfig& parent,
                     LocationConfig& config) noexcept;
// Checks that nothing in the location contradicts itself, and finds out what follows from other levels: its
// zone, and the largest event. Nothing to do if it is no endpoint. false after an error, which is logged.
bool completeEndpoint(ngx_conf_t* cf, LocationConfig& config) noexcept;

// How many channels a value of sse_channel names that has no variables; 0: none, or one is not valid.
// `separator`: 0 if the value is no list.
size_t countChannels(std::string_view value, u_char separator) noexcept;

// Adds a type to those that publishers must not use; an empty one is none. false without memory.
bool addReservedType(MainConfig& main, std::string_view type) noexcept;

} // namespace sse
