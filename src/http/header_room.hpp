// The room of a request's header lists.
#pragma once

#include "ngx.hpp"

namespace sse {

// Gives back the room that nginx keeps for headers which have not come, 1.7 KB for most requests. Call this
// once, when the response header has been sent and the request waits for a long time: from here on the
// headers are only read, for the log.
void freeSpareHeaderRoom(ngx_http_request_t* r) noexcept;

} // namespace sse
