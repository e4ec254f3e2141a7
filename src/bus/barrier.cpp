#include "bus/barrier.hpp"

namespace sse {

Barrier::Barrier(Pipeline& pipeline, const BusState& state, void* self,
                 void (*onResult)(void* self, Result result) noexcept) noexcept
    : pipeline_(pipeline), self_(self), onResult_(onResult),
      order_(pipeline.flight(), this,
             [](void* barrier) noexcept { static_cast<Barrier*>(barrier)->onNewest(); }),
      log_(state, this, [](void* barrier, bool isThere) noexcept {
          static_cast<Barrier*>(barrier)->finish(isThere ? Result::Passed : Result::Late);
      }) {}

Pipeline::Taken Barrier::start(ngx_msec_t time) noexcept {
    const Pipeline::Taken taken = pipeline_.askNewest(order_);
    if (taken == Pipeline::Taken::Yes) {
        isWaiting_ = true;
        until_ = ngx_current_msec + time;
        order_.wait(Order::Wish::Over);
    }
    return taken;
}

void Barrier::cancel() noexcept {
    isWaiting_ = false;
    order_.detach();
    log_.cancel();
}

void Barrier::onNewest() noexcept {
    switch (order_.failure()) {
    case Failure::None:
        return log_.start(order_.lastId(), until_);
    case Failure::Refused:
        return finish(Result::Passed);
    case Failure::Away:
    case Failure::Unknown:
        return finish(Result::Away);
    }
}

void Barrier::finish(Result result) noexcept {
    isWaiting_ = false;
    onResult_(self_, result);
}

} // namespace sse
