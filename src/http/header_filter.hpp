// What every answer of an endpoint carries, also those that nginx gives itself there: errors, redirects.
#pragma once

#include "ngx.hpp"

namespace sse {

// Called before each answer of an endpoint, when what becomes of its connection is known.
using AnswerHook = void (*)(ngx_http_request_t* r) noexcept;

// Installs the filter, while the configuration is read. It looks at the location that answers in the end,
// whatever other locations a request has passed through, and leaves all other locations alone.
void addHeaderFilter(AnswerHook onAnswer) noexcept;

} // namespace sse
