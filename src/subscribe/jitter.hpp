// Times that are spread, so that clients do not all come back at once.
#pragma once

#include "ngx.hpp"

namespace sse {

// The time and up to `percent` percent more.
inline ngx_msec_t withJitter(ngx_msec_t time, ngx_uint_t percent) noexcept {
    return time + static_cast<ngx_msec_t>(ngx_random()) % (time * percent / 100 + 1);
}

} // namespace sse
