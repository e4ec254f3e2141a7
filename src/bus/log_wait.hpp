// Waits until the log of this machine has an entry of the stream.
#pragma once

#include "bus/bus_state.hpp"
#include "worker/loop_event.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class LogWait {
public:
    // `onResult` is called once after start(), from a turn of the worker, unless cancel() is called first.
    // `isThere`: the log has the entry, or has left it out. The handler may destroy this object.
    LogWait(const BusState& state, void* self, void (*onResult)(void* self, bool isThere) noexcept) noexcept;
    LogWait(const LogWait&) = delete;
    LogWait& operator=(const LogWait&) = delete;
    ~LogWait() { cancel(); }

    // `until`: of nginx's clock.
    void start(StreamId id, ngx_msec_t until) noexcept;
    void cancel() noexcept;

private:
    void look() noexcept;
    bool isThere() const noexcept { return state_.position() >= id_; }
    bool isLate() const noexcept { return static_cast<ngx_msec_int_t>(until_ - ngx_current_msec) <= 0; }

    const BusState& state_;
    void* self_;
    void (*onResult_)(void* self, bool isThere) noexcept;

    StreamId id_;
    ngx_msec_t until_ = 0;
    LoopEvent timer_; // looks how far the log is
    Task task_;       // reports the result
};

} // namespace sse
