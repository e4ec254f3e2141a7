// Cross-origin requests: sse_cors.
#pragma once

#include <string_view>

#include "conf/config.hpp"
#include "ngx.hpp"

namespace sse {

// The origin of a request; empty if it has none, or two.
std::string_view requestOrigin(const ngx_http_request_t& r) noexcept;

// Whether sse_cors lists that origin by name, which "*" does not.
bool isListedOrigin(const LocationConfig& config, std::string_view origin) noexcept;

// Adds the headers that sse_cors of the location asks for, and replaces any that others have set. The
// location is an endpoint. false without memory.
bool addCorsHeaders(ngx_http_request_t* r, const LocationConfig& config) noexcept;

// Has preflights for endpoints with sse_cors answered before the access phase, because they carry no
// credentials.
ngx_int_t addPreflightHandler(ngx_conf_t* cf) noexcept;

} // namespace sse
