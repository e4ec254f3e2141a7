// Waits until the log of this machine has everything that was in the stream when the wait began. That
// includes all that any publisher has been told is published, on whatever machine.
//
// A mark is added to the stream, and the log must have come that far.
#pragma once

#include "bus/bus_state.hpp"
#include "bus/order.hpp"
#include "bus/pipeline.hpp"
#include "worker/loop_event.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class Barrier {
public:
    enum class Result : uint8_t {
        Passed,
        Late,    // the log has not come that far in time
        Away,    // Redis is away
        Refused, // Redis has answered with an error
    };

    // `time`: how long that may take, in milliseconds. `onResult` is called once after start(), from a turn
    // of the worker, unless cancel() is called first. It may destroy the barrier.
    Barrier(Pipeline& pipeline, const BusState& state, ngx_msec_t time, void* self,
            void (*onResult)(void* self, Result result) noexcept) noexcept;
    Barrier(const Barrier&) = delete;
    Barrier& operator=(const Barrier&) = delete;
    ~Barrier() { cancel(); }

    Pipeline::Taken start() noexcept;
    bool isWaiting() const noexcept { return isWaiting_; }
    void cancel() noexcept;

private:
    void onMark() noexcept;
    void look() noexcept;
    bool isPassed() const noexcept { return state_.position() >= mark_; }
    bool isLate() const noexcept { return static_cast<ngx_msec_int_t>(until_ - ngx_current_msec) <= 0; }
    void finish(Result result) noexcept;

    Pipeline& pipeline_;
    const BusState& state_;
    ngx_msec_t time_;
    void* self_;
    void (*onResult_)(void* self, Result result) noexcept;

    bool isWaiting_ = false;
    Order order_; // of the mark
    StreamId mark_;
    ngx_msec_t until_ = 0; // of nginx's clock
    LoopEvent timer_;      // looks how far the log is
    Task task_;            // reports the result
};

} // namespace sse
