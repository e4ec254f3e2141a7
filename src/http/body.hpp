// The body of a request as HTTP sees it: whether there is one, who has read it, and what that means for the
// connection.
#pragma once

#include "ngx.hpp"

namespace sse {

// Whether the client has announced a body (a length above 0, or chunks; over HTTP/2 and 3 an open stream).
bool hasBody(const ngx_http_request_t& r) noexcept;

// Whether nobody has read the body yet, nor begun to throw it away.
bool isBodyToCome(const ngx_http_request_t& r) noexcept;

// Of a body that has been read to its end: whether that was all of it. nginx reports a body that it throws
// away as an empty one.
bool isBodyWhole(const ngx_http_request_t& r) noexcept;

// Whether somebody has read all of the body, and all of it is still in request_body->bufs. Also true if there
// is none. A redirect or a subrequest may come when the body has been passed on, thrown away, or not read.
bool isBodyKept(const ngx_http_request_t& r) noexcept;

// Whether bytes of the body are still to come on the connection, or lie there unparsed, and nobody is going
// to read them.
bool isBodyUnread(const ngx_http_request_t& r) noexcept;

// Has a stream, which does not wait for the body of its request, read what comes of it (by throwAway) in
// place of nginx. The connection ends with the stream then.
void takeOverReading(ngx_http_request_t* r) noexcept;

// Reads what has come on the connection of a request of HTTP/1 and throws it away, some of it at a time:
// after that the connection carries no other request. false: the connection is gone.
bool throwAway(ngx_http_request_t* r) noexcept;

// Before a request whose body has been used up, or read in part, goes to another location: an upstream must
// not be promised a body, whose rest it would take from the next request on its connection, and a publish
// location must not take it for one that is empty (isBodyKept). The connection ends if it has not been read
// to its end.
void forgetBody(ngx_http_request_t* r) noexcept;

// To be called before the header of an answer is sent. After a body that is not read to its end the
// connection carries no other request (RFC 9112, sections 9.3 and 11.2): what follows could be taken for one.
// The client is told so, and nginx goes on reading for a while so that the answer is not lost.
void closeIfUnread(ngx_http_request_t* r) noexcept;

} // namespace sse
