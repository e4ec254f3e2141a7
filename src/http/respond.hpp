// Answers that are not a stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/refusals.hpp"
#include "ngx.hpp"
#include "sse/json.hpp"

namespace sse {

// Sends a body of type application/json, which has to live as long as the request; returns what a content
// handler returns.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view json) noexcept;

// The same with what `json` has written into `text`: a copy in the request's pool, ended by a line feed. 500
// if there was no memory for all of it.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, const JsonWriter& json, Buffer& text) noexcept;

// Answers {"error":"…"} with what answerTo() says, and logs it at level "info", one line a second: a client
// that is refused again and again must not fill the disk. Where the location has an error_page for that
// status, nginx answers by that. With `events`, how many events of a body were published before the fault,
// {"error":"…","events":n}; once there are any, no error_page counts: it would not tell how many, and a
// location that it names would publish them again. Returns what a content handler returns.
ngx_int_t refuse(ngx_http_request_t* r, Refusal refusal,
                 std::optional<uint64_t> events = std::nullopt) noexcept;

// 405 with the methods that there are; 204 for OPTIONS.
ngx_int_t refuseMethod(ngx_http_request_t* r, std::string_view allowed) noexcept;

// Adds a response header; both texts live as long as the request. false without memory.
bool addHeader(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept;

} // namespace sse
