// The header fields of a response. Names are compared without regard to case (RFC 9110).
#pragma once

#include <string_view>

#include "ngx.hpp"

namespace sse {

bool hasHeader(ngx_http_request_t* r, std::string_view name) noexcept;

// Whether a response header of that name has that token in its value, which is a list.
bool hasHeaderToken(ngx_http_request_t* r, std::string_view name, std::string_view token) noexcept;

// Keeps the response headers of that name from being sent.
void removeHeader(ngx_http_request_t* r, std::string_view name) noexcept;

} // namespace sse
