// What a browser sends as `Origin` (RFC 6454, section 6.2): scheme, host and, unless it is the default, port.
#pragma once

#include <string_view>

namespace sse {

// Why no browser ever sends that text as an origin; empty if one may. Origins are compared byte by byte, so
// they must be written as browsers write them. `null` and `*` are not for this function.
std::string_view originFault(std::string_view text) noexcept;

} // namespace sse
