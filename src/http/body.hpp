// The body of a request as HTTP sees it: whether there is one, whether it has been read, and what that means
// for the connection.
#pragma once

#include "ngx.hpp"

namespace sse {

// Whether the client has announced a body (a length above 0, or chunks; over HTTP/2 and 3 an open stream).
bool hasBody(const ngx_http_request_t& r) noexcept;

// Whether the body is still to come: it has not been read, and nginx has not begun to throw it away.
bool isBodyToCome(const ngx_http_request_t& r) noexcept;

// For a body that has been read to its end: whether that was all of it. nginx reports a body that it throws
// away as an empty one.
bool isBodyWhole(const ngx_http_request_t& r) noexcept;

// Whether all of the body has been read and is still in request_body->bufs. Also true if there is none. A
// redirect or a subrequest may come when the body has been passed on, thrown away, or not read.
bool isBodyKept(const ngx_http_request_t& r) noexcept;

// Whether bytes of the body are still to come on the connection, or lie there unparsed, and will not be read.
bool isBodyUnread(const ngx_http_request_t& r) noexcept;

// For a stream, which does not wait for the body of its request: the stream now reads what arrives of the
// body (by throwAway), in place of nginx. The connection then ends with the stream.
void takeOverReading(ngx_http_request_t* r) noexcept;

// While something that has come of the body waits to be taken, its client is not late: client_body_timeout
// does not run. Afterwards it starts again, if nginx has started it meanwhile.
void stopBodyTimeout(ngx_http_request_t* r) noexcept;
void restartBodyTimeout(ngx_http_request_t* r) noexcept;

// Reads what has arrived on the connection of an HTTP/1 request and throws it away, a limited amount at a
// time; after that the connection carries no other request. false: the connection is gone.
bool throwAway(ngx_http_request_t* r) noexcept;

// Call this when nothing more is read of a body, and before anything is answered. If the body has been used
// up, or read in part, an error page, a subrequest or post_action must not take it for one that is still
// there. An upstream must not be promised a body: it would take the rest of it from the next request on its
// connection. A publish location must not take it for an empty one (isBodyKept). The connection ends if the
// body has not been read to its end.
void forgetUsedBody(ngx_http_request_t* r) noexcept;

// Call this before the header of an answer is sent. After a body that is not read to its end the connection
// carries no other request (RFC 9112, sections 9.3 and 11.2): what follows could be taken for a request. The
// answer says so, and nginx goes on reading for a while so that the answer is not lost.
void closeIfUnread(ngx_http_request_t* r) noexcept;

} // namespace sse
