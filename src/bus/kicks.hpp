// Kicks of other machines, and ours for them.
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

// An entry of the control stream, whose fields these are, and which has been there for `age`: kicks as it
// says, unless this machine has sent it. What is no kick is left alone. A kick that there is no room for, or
// no lock, is logged.
void onControlEntry(Zone& zone, const Reply& fields, ngx_msec_t age) noexcept;

} // namespace sse
