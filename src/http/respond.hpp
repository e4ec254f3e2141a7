// Answers that are not a stream.
#pragma once

#include <string_view>

#include "ngx.hpp"

namespace sse {

// Sends a body of type application/json, which has to live as long as the request; returns what a content
// handler returns.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view json) noexcept;

// A mistake of the client: {"error":"…"}, and a line in the log at level "info". `reason` is plain ASCII
// without quotes and lives as long as the program.
ngx_int_t refuse(ngx_http_request_t* r, ngx_uint_t status, std::string_view reason) noexcept;

// 405 with the methods that there are; 204 for OPTIONS.
ngx_int_t refuseMethod(ngx_http_request_t* r, std::string_view allowed) noexcept;

// Adds a response header; both texts live as long as the request. false without memory.
bool addHeader(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept;

// The value of a request header, by its name in lower case; data is NULL if there is none.
ngx_str_t requestHeader(ngx_http_request_t* r, std::string_view lowerName) noexcept;

// The last argument of that name in the query, percent-decoded in the request's pool; empty if there is none.
// false without memory.
bool lastArgument(ngx_http_request_t* r, std::string_view name, std::string_view& value) noexcept;

// A value of an expression, percent-decoded: "%0a" is a line feed wherever it comes from. false without
// memory.
bool evaluateDecoded(ngx_http_request_t* r, ngx_http_complex_value_t* expression,
                     std::string_view& value) noexcept;

} // namespace sse
