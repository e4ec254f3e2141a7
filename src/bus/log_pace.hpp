// How often a lasting problem is logged: at once, and then less and less often. So a server that is away for
// a day does not fill the disk.
#pragma once

#include <algorithm>

#include "ngx.hpp"

namespace sse {

class LogPace {
public:
    // Whether it is time for a message. If so, the message counts as logged.
    bool isTime() noexcept {
        if (pause_ != 0 && ngx_current_msec - loggedAt_ < pause_) {
            return false;
        }
        loggedAt_ = ngx_current_msec;
        pause_ = std::clamp(pause_ * 2, kFirst, kLongest);
        return true;
    }
    // The problem is over.
    void reset() noexcept { pause_ = 0; }

private:
    static constexpr ngx_msec_t kFirst = 1000;
    static constexpr ngx_msec_t kLongest = 30'000;

    ngx_msec_t loggedAt_ = 0;
    ngx_msec_t pause_ = 0;
};

} // namespace sse
