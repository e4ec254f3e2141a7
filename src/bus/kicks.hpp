// Kicks from other machines, and ours for them.
#pragma once

#include "bus/bus_state.hpp"
#include "bus/kick_entry.hpp"
#include "bus/reply.hpp"
#include "bus/stream_id.hpp"
#include "ngx.hpp"
#include "sse/short_text.hpp"
#include "zone.hpp"

namespace sse {

// What this machine calls itself in `by`; the same in all workers.
ShortText<16> machineTag(BusState& state) noexcept;

// Handles an entry of the control stream that has these fields and has been there for `age`: kicks as the
// entry says, unless this machine has sent it. An entry that is not a kick is ignored. A kick for which there
// is no room, or no lock, is logged.
void onControlEntry(Zone& zone, const Reply& fields, ngx_msec_t age) noexcept;

} // namespace sse
