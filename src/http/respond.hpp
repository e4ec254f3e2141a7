// Answers that are not a stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "http/refusals.hpp"
#include "ngx.hpp"
#include "sse/json.hpp"

namespace sse {

// Sends a body of that type; both must live as long as the request. Returns what a content handler returns.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view type,
                  std::string_view body) noexcept;
// The same of type application/json.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view json) noexcept;

// The same with what `json` has written into `text`: a copy in the request's pool, followed by a line feed.
// 500 if there was not enough memory.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, const JsonWriter& json, Buffer& text) noexcept;

// Answers {"error":"…"} as answerTo() says, with the facts, and logs it at level "info", at most one line a
// second: a client that is refused again and again must not fill the disk. If the location has an error_page
// for that status, nginx answers with that, unless events have been published, or may have been: the error
// page would not give their number, and a location that it names would publish them again. Returns what a
// content handler returns.
ngx_int_t refuse(ngx_http_request_t* r, Refusal refusal, const RefusalFacts& facts = {}) noexcept;

// Whether a line may be logged for something that clients can cause any number of times: at most once a
// second. `second` belongs to what is logged.
inline bool isFirstOfSecond(time_t& second) noexcept {
    return std::exchange(second, ngx_time()) != ngx_time();
}

// Logs a refusal as refuse() does, for one that is answered in another way.
void logRefusal(ngx_http_request_t* r, Refusal refusal) noexcept;

// 405 with the allowed methods; 204 for OPTIONS.
ngx_int_t refuseMethod(ngx_http_request_t* r, std::string_view allowed) noexcept;

// Adds a response header; both texts live as long as the request. false without memory.
bool addHeader(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept;

} // namespace sse
