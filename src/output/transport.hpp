// The connection under a request: the one that has a socket.
#pragma once

#include "ngx.hpp"

namespace sse {

// All streams of an HTTP/2 connection share one. (A module that is built without HTTP/2 cannot find it, and
// leaves a connection that stands still to nginx's own timeout.)
//
// nginx-internal: http/v2/ngx_http_v2.h (1.22.1, 1.26.3, 1.30.4, 1.31.4): the way from a stream to its
// connection.
inline ngx_connection_t* transportOf(const ngx_http_request_t* request) noexcept {
#if (NGX_HTTP_V2)
    if (request->stream != nullptr) {
        return request->stream->connection->connection;
    }
#endif
    return request->connection;
}

} // namespace sse
