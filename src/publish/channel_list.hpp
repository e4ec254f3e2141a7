// GET ?list of a publishing location: the channels that sse_list permits, page by page.
#pragma once

#include "ngx.hpp"

namespace sse {

// Whether the request asks for that, and not for the channel of the location.
bool asksForList(const ngx_http_request_t& r) noexcept;

// Returns what the content handler returns.
ngx_int_t handleChannelList(ngx_http_request_t* r) noexcept;

} // namespace sse
