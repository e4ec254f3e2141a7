// Keeps pages of foreign origins from publishing with the help of a visitor's browser: sse_check_origin.
#pragma once

#include "conf/config.hpp"

namespace sse {

// Whether the request would change something, and a browser says that it comes from a foreign page.
bool isRefusedPage(ngx_http_request_t* r, const LocationConfig& config) noexcept;

} // namespace sse
