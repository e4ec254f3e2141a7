// Anything long-lived that has to end when the worker leaves: subscribers and open publishers.
#pragma once

#include "ngx.hpp"

namespace sse {

struct Leaver {
    ngx_queue_t link;
    void* owner;
    // Asks it to end, in an orderly way or, with `force`, at once. It unlinks itself when it has ended;
    // called from a timer, so it runs nginx's posted requests itself.
    void (*leave)(Leaver& leaver, bool force) noexcept;
};

} // namespace sse
