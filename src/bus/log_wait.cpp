#include "bus/log_wait.hpp"

#include "worker/worker.hpp"

namespace sse {

namespace {

// How often a worker looks how far the log is. The follower may be another worker.
constexpr ngx_msec_t kLookTime = 2;

} // namespace

LogWait::LogWait(const BusState& state, void* self,
                 void (*onResult)(void* self, bool isThere) noexcept) noexcept
    : state_(state), self_(self), onResult_(onResult) {
    timer_.init(this, [](ngx_event_t* event) noexcept { LoopEvent::owner<LogWait>(event).look(); });
    task_.owner = this;
    task_.run = [](void* wait) noexcept {
        const auto& self = *static_cast<LogWait*>(wait);
        self.onResult_(self.self_, self.isThere());
    };
}

void LogWait::start(StreamId id, ngx_msec_t until) noexcept {
    id_ = id;
    until_ = until;
    look();
}

void LogWait::cancel() noexcept {
    timer_.cancel();
    Worker::self().cancel(task_);
}

// Many may wait for the same entry, so each goes on in its turn.
void LogWait::look() noexcept {
    if (isThere() || isLate()) {
        Worker::self().schedule(task_);
    } else {
        timer_.wait(kLookTime);
    }
}

} // namespace sse
