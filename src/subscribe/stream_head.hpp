// The head of a response that is an event stream.
#pragma once

#include "ngx.hpp"

namespace sse {

// Sets status and headers; the module sets the type, whatever "charset", "types" and "default_type" say.
// false without memory.
bool setStreamHead(ngx_http_request_t* r) noexcept;

// After the head of a stream has been sent: what follows goes out at once.
void sendAtOnce(ngx_http_request_t* r) noexcept;

} // namespace sse
