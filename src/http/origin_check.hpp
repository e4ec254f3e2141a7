// Keeps pages of foreign origins from changing something with the help of a visitor's browser:
// sse_check_origin.
#pragma once

#include "conf/config.hpp"

namespace sse {

// For a request that would change something: whether a browser says that it comes from a foreign page.
bool isRefusedPage(ngx_http_request_t* r, const LocationConfig& config) noexcept;

} // namespace sse
