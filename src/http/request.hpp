// What the module reads of a request's head: methods, headers, arguments, expressions.
#pragma once

#include <span>
#include <string_view>

#include "ngx.hpp"

namespace sse {

// The longest that a request may ask to wait for its answer, in seconds: proxies do not wait much longer.
inline constexpr ngx_int_t kMostWait = 60;

// The only header of that name, without the space around its value (RFC 9110, section 5.6.3). Empty if there
// is none, or if there are several, among which we cannot choose.
std::string_view onlyHeader(const ngx_http_request_t& r, std::string_view name) noexcept;

// How many headers of that name there are.
size_t countHeaders(const ngx_http_request_t& r, std::string_view name) noexcept;

// Whether there is a header of one of these names.
bool hasHeaderOf(const ngx_http_request_t& r, std::span<const std::string_view> names) noexcept;

// The first value of a header of that name that is not empty, without the space around it; empty if there is
// none.
std::string_view firstHeader(const ngx_http_request_t& r, std::string_view name) noexcept;

// The type in a Content-Type, without its parameters: "text/event-stream ; charset=utf-8" names
// "text/event-stream" (RFC 9110, section 8.3.1).
std::string_view mediaType(std::string_view contentType) noexcept;

// Whether the client names that media type, which is in lower case, in an Accept header: the type itself, not
// a range like "*/*", and not in order to refuse it by a weight of 0 (RFC 9110, section 12.5.1).
bool isTypeAccepted(const ngx_http_request_t& r, std::string_view type) noexcept;

// Whether the body has a Content-Encoding other than "identity".
bool isEncoded(const ngx_http_request_t& r) noexcept;

// Whether the client sent its request with that method, whatever nginx has made of it since.
bool isSentWith(const ngx_http_request_t& r, std::string_view method) noexcept;

// The last argument of that name in the query, percent-decoded in the request's pool; empty if there is none.
// false without memory.
bool lastArgument(ngx_http_request_t* r, std::string_view name, std::string_view& value) noexcept;

// The value of $arg_NAME, percent-decoded. false without memory.
bool firstArgument(ngx_http_request_t* r, std::string_view name, std::string_view& value) noexcept;

// Whether the value of a flag says no: "0" or "false", in upper or lower case.
bool saysNo(std::string_view value) noexcept;

// Whether the query has that argument, with or without a value, unless the value says no.
bool isFlagSet(const ngx_http_request_t& r, std::string_view name) noexcept;

// The value of an expression, percent-decoded: "%0a" is a line feed wherever it comes from. false without
// memory.
bool evaluateDecoded(ngx_http_request_t* r, ngx_http_complex_value_t* expression,
                     std::string_view& value) noexcept;

} // namespace sse
