// Headers of every answer of an endpoint, including those that nginx itself gives there: errors, redirects.
#pragma once

#include "ngx.hpp"

namespace sse {

// Called before each answer of an endpoint, when it is known whether its connection is kept.
using AnswerHook = void (*)(ngx_http_request_t* r) noexcept;

// Installs the filter while the configuration is read. It acts by the location that answers in the end,
// whatever other locations the request has passed through, and leaves all other locations alone.
void addHeaderFilter(AnswerHook onAnswer) noexcept;

} // namespace sse
