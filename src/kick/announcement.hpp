// A kick that holds on this machine, on its way to the others: its request waits until Redis has the kick.
#pragma once

#include "bus/kick_entry.hpp"
#include "conf/config.hpp"
#include "ngx.hpp"

namespace sse {

// Answers a kick that holds. `isLocal`: on this machine alone, although there are others. Returns what a
// content handler returns.
using KickAnswer = ngx_int_t (*)(ngx_http_request_t* r, uint64_t seconds, bool isLocal) noexcept;

#ifndef SSE_WITHOUT_BUS

// Sends the kick to the other machines, and has the request answered once it is known whether they will hear
// of it. `kick` has views of the request's memory. Returns what a content handler returns.
ngx_int_t announce(ngx_http_request_t* r, const KickEntry& kick, KickAnswer answer) noexcept;

#else

inline ngx_int_t announce(ngx_http_request_t* r, const KickEntry& kick, KickAnswer answer) noexcept {
    return answer(r, kick.seconds, false);
}

#endif

} // namespace sse
