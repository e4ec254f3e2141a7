// Admission: whether a client is served, which depends on what it finds when it has joined the feed of its
// channels.
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
    Locked,    // the zone's lock is not available
    Unfilled,  // the zone is not filled yet, so nothing is known of its channels
    Gap,       // it has missed events, and sse_gap says not to go on
    Ended,     // its channels have ended, and it has received all that was left
    Absent,    // its channels have no events, and sse_absent says not to wait
};

// Whether a client may wait until its zone is filled. After the wait it could only be sent away with a
// stream, not with a status.
Admission admitUnfilled(const LocationConfig& config) noexcept;

// Whether a client that wants nothing older than the stock is served.
Admission admitFromNow(const LocationConfig& config, const Catchup& catchup) noexcept;

// Whether a client whose start has been found is served. `gap`: the gap as the client is told of it.
Admission admitFromStart(const LocationConfig& config, const Catchup& catchup, Gap gap) noexcept;

// Counts that a client has a gap.
void countGap(const Zone& zone, const Catchup& catchup) noexcept;

// Counts that a request to subscribe is refused.
void countRefusal(ngx_http_request_t* r, RefusalGroup group) noexcept;

// The reason for the log.
CloseReason reasonOf(Admission refused) noexcept;

// Answers a client that is not admitted (refuseAdmission), or that is refused on arrival (refuseAtDoor). If
// it should come back later, the answer is as sse_reject says. Returns what a content handler returns.
ngx_int_t refuseAdmission(ngx_http_request_t* r, RequestContext& context, Admission refused) noexcept;
ngx_int_t refuseAtDoor(ngx_http_request_t* r, RequestContext& context, Refusal refused) noexcept;

} // namespace sse
