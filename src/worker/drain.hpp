// Draining: a worker that leaves ends everything long-lived, spread over sse_drain, so that clients do not
// all come back at once.
#pragma once

#include "worker/loop_event.hpp"

namespace sse {

// Anything long-lived that has to end when the worker leaves: a subscriber, an open publisher.
struct Drainable {
    ngx_queue_t link;
    void* owner;
    // Asks it to end, in an orderly way or, with `force`, at once. It removes itself when it has ended.
    // Called from a timer, so it runs nginx's posted requests itself.
    void (*drain)(Drainable& drainable, bool force) noexcept;
};

class Drain {
public:
    // `time`: the milliseconds over which the ends of streams are spread.
    void init(ngx_msec_t time) noexcept;

    // A drainable that is added after all others have gone gets its turn, too.
    void add(Drainable& drainable) noexcept;
    static void remove(Drainable& drainable) noexcept { ngx_queue_remove(&drainable.link); }

    void start() noexcept;
    bool hasStarted() const noexcept { return started_; }
    ngx_msec_t time() const noexcept { return time_; }

private:
    void step() noexcept;

    LoopEvent timer_;
    ngx_queue_t pending_{}; // not yet asked to end
    ngx_queue_t asked_{};   // asked, and still sending
    bool started_ = false;
    ngx_msec_t time_ = 0;
    ngx_msec_t startedAt_ = 0;
    ngx_uint_t total_ = 0; // how many there were when it started
    ngx_uint_t done_ = 0;  // how many have been asked since
};

} // namespace sse
