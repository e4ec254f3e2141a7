// Answers that are not a stream.
#pragma once

#include <string_view>

#include "ngx.hpp"

namespace sse {

// Sends a body of type application/json, which has to live as long as the request; returns what a content
// handler returns.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view json) noexcept;

// Answers {"error":"…"}, and logs it at level "info"; where the location has an error_page for that status,
// nginx answers by that. `reason` is plain ASCII without quotes and lives as long as the program. With
// `retryAfter` the client is told after how many seconds to try again.
ngx_int_t refuse(ngx_http_request_t* r, ngx_uint_t status, std::string_view reason,
                 std::string_view retryAfter = {}) noexcept;

// The parts of refuse(). One line a second: a client that is refused again and again must not fill the disk.
void logRefusal(const ngx_http_request_t* r, ngx_uint_t status, std::string_view reason) noexcept;
bool hasErrorPage(ngx_http_request_t* r, ngx_uint_t status) noexcept;

// 405 with the methods that there are; 204 for OPTIONS.
ngx_int_t refuseMethod(ngx_http_request_t* r, std::string_view allowed) noexcept;

// Adds a response header; both texts live as long as the request. false without memory.
bool addHeader(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept;

} // namespace sse
