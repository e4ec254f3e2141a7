// Waits until the log of this machine has everything that was in the stream when the wait began. That
// includes all that any publisher has been told is published, on whatever machine.
//
// Redis says which entry of the stream is the newest, and the log must have come that far.
#pragma once

#include "bus/log_wait.hpp"
#include "bus/order.hpp"
#include "bus/pipeline.hpp"

namespace sse {

class Barrier {
public:
    enum class Result : uint8_t {
        Passed, // or Redis does not tell: then what the log has must do
        Late,   // the log has not come that far in time
        Away,   // Redis is away
    };

    // `onResult` is called once after start(), from a turn of the worker, unless cancel() is called first. It
    // may destroy the barrier.
    Barrier(Pipeline& pipeline, const BusState& state, void* self,
            void (*onResult)(void* self, Result result) noexcept) noexcept;
    Barrier(const Barrier&) = delete;
    Barrier& operator=(const Barrier&) = delete;
    ~Barrier() { cancel(); }

    // `time`: how long that may take, in milliseconds.
    Pipeline::Taken start(ngx_msec_t time) noexcept;
    bool isWaiting() const noexcept { return isWaiting_; }
    void cancel() noexcept;

private:
    void onNewest() noexcept;
    void finish(Result result) noexcept;

    Pipeline& pipeline_;
    void* self_;
    void (*onResult_)(void* self, Result result) noexcept;

    bool isWaiting_ = false;
    ngx_msec_t until_ = 0; // of nginx's clock
    Order order_;          // of the question
    LogWait log_;
};

} // namespace sse
