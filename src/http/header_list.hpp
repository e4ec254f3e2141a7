// The lists of header fields of a request and its response. Names are compared as RFC 9110 says, without
// regard to case.
#pragma once

#include <string_view>

#include "ngx.hpp"

namespace sse {

bool hasHeader(ngx_http_request_t* r, std::string_view name) noexcept;

// Whether a response header of that name has that token in its value, which is a list.
bool hasHeaderToken(ngx_http_request_t* r, std::string_view name, std::string_view token) noexcept;

// Has the response headers of that name not sent.
void removeHeader(ngx_http_request_t* r, std::string_view name) noexcept;

// The value of a request header without the white space around it; empty if there is none of that name, or
// more than one.
std::string_view soleRequestHeader(ngx_http_request_t* r, std::string_view name) noexcept;

} // namespace sse
