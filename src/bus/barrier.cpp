#include "bus/barrier.hpp"

#include "worker/worker.hpp"

namespace sse {

namespace {

// How often a worker looks how far the log is. The follower may be another worker.
constexpr ngx_msec_t kLookTime = 2;

} // namespace

Barrier::Barrier(Pipeline& pipeline, const BusState& state, ngx_msec_t time, void* self,
                 void (*onResult)(void* self, Result result) noexcept) noexcept
    : pipeline_(pipeline), state_(state), time_(time), self_(self), onResult_(onResult),
      order_(pipeline.flight(), this,
             [](void* barrier) noexcept { static_cast<Barrier*>(barrier)->onMark(); }) {
    timer_.init(this, [](ngx_event_t* event) noexcept { LoopEvent::owner<Barrier>(event).look(); });
    task_.owner = this;
    task_.run = [](void* barrier) noexcept {
        auto& self = *static_cast<Barrier*>(barrier);
        self.finish(self.isPassed() ? Result::Passed : Result::Late);
    };
}

Pipeline::Taken Barrier::start() noexcept {
    const Pipeline::Taken taken = pipeline_.mark(order_);
    if (taken == Pipeline::Taken::Yes) {
        isWaiting_ = true;
        until_ = ngx_current_msec + time_;
        order_.wait(Order::Wish::Over);
    }
    return taken;
}

void Barrier::cancel() noexcept {
    isWaiting_ = false;
    order_.detach();
    timer_.cancel();
    Worker::self().cancel(task_);
}

// It makes no difference to anybody whether a mark of which nothing is known is in the stream.
void Barrier::onMark() noexcept {
    switch (order_.failure()) {
    case Failure::None:
        break;
    case Failure::Refused:
        return finish(Result::Refused);
    case Failure::Away:
    case Failure::Unknown:
        return finish(Result::Away);
    }
    mark_ = order_.lastId();
    look();
}

// Many may wait for the same entry, so each goes on in its turn.
void Barrier::look() noexcept {
    if (isPassed() || isLate()) {
        Worker::self().schedule(task_);
    } else {
        timer_.wait(kLookTime);
    }
}

void Barrier::finish(Result result) noexcept {
    isWaiting_ = false;
    onResult_(self_, result);
}

} // namespace sse
