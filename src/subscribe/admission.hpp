// Admission: what a client finds when it has joined the feed of its channels decides whether it is served.
#pragma once

#include "conf/config.hpp"
#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "subscribe/catchup.hpp"

namespace sse {

enum class Admission {
    Ok,
    NoMemory,
    IndexFull, // no room for another channel
    Locked,    // the zone's lock is not to be had
    Unfilled,  // the zone is not filled yet, so that nothing is known of its channels
    Gap,       // it has missed events, and sse_gap says not to go on
    Ended,     // its channels have ended, and it has had all that was left
    Absent,    // its channels have no events, and sse_absent says not to wait
};

// Whether a client may wait until its zone is filled. Afterwards it could only be sent away with a stream.
Admission admitUnfilled(const LocationConfig& config) noexcept;

// Whether a client is served that wants nothing older than the stock.
Admission admitFromNow(const LocationConfig& config, const Catchup& catchup) noexcept;

// Whether one is served whose start has been found. `gap`: as it is told of it.
Admission admitFromStart(const LocationConfig& config, const Catchup& catchup, Gap gap) noexcept;

// A client has a gap.
void countGap(const Zone& zone, const Catchup& catchup) noexcept;

// A request to subscribe is refused.
void countRefusal(ngx_http_request_t* r, RefusalGroup group) noexcept;

// The reason for the log.
CloseReason reasonOf(Admission refused) noexcept;

// Answers a client that is not admitted, or not even let in, as sse_reject says if it had
// better come again; returns what a content handler returns.
ngx_int_t refuseAdmission(ngx_http_request_t* r, RequestContext& context, Admission refused) noexcept;
ngx_int_t refuseAtDoor(ngx_http_request_t* r, RequestContext& context, Refusal refused) noexcept;

} // namespace sse
