#include "subscribe/heartbeat.hpp"

#include <new>

#include "sse/notices.hpp"
#include "subscribe/append_notice.hpp"
#include "worker/budget.hpp"

namespace sse {

namespace {

constinit Heartbeats heartbeats;

} // namespace

Heartbeat* Heartbeat::make(ngx_msec_t interval, std::string_view event, SendBeat send) noexcept {
    BatchRef text;
    bool written = appendNotice(text, [event](Buffer& out) noexcept { return addHeartbeat(out, event); });
    void* memory = written ? ngx_calloc(sizeof(Heartbeat), ngx_cycle->log) : nullptr;
    if (memory == nullptr) {
        return nullptr;
    }
    auto* heartbeat = new (memory) Heartbeat{};
    heartbeat->interval_ = interval;
    heartbeat->send_ = send;
    heartbeat->text_ = std::move(text);
    heartbeat->event_.append(event);
    ngx_queue_init(&heartbeat->queue_);
    heartbeat->timer_.init(heartbeat, [](ngx_event_t* e) noexcept { LoopEvent::owner<Heartbeat>(e).run(); });
    return heartbeat;
}

bool Heartbeat::matches(ngx_msec_t interval, std::string_view event) const noexcept {
    return interval == interval_ && event == event_.view();
}

void Heartbeat::add(Beat& beat) noexcept {
    beat.lastSent = ngx_current_msec;
    ngx_queue_insert_tail(&queue_, &beat.link);
    if (!timer_.waiting()) {
        timer_.wait(interval_);
    }
}

void Heartbeat::onSent(Beat& beat) noexcept {
    beat.lastSent = ngx_current_msec;
    ngx_queue_remove(&beat.link);
    ngx_queue_insert_tail(&queue_, &beat.link);
}

// After a broadcast all are due at the same moment, hence the budget. A beat may end its subscriber, and
// others on the same connection with it, so only the head of the queue is used.
void Heartbeat::run() noexcept {
    const Budget budget(kTurnTime);
    while (!ngx_queue_empty(&queue_)) {
        Beat& beat = *queueItem<Beat>(ngx_queue_head(&queue_), offsetof(Beat, link));
        auto left = static_cast<ngx_msec_int_t>(beat.lastSent + interval_ - ngx_current_msec);
        if (left > 0) {
            timer_.wait(static_cast<ngx_msec_t>(left));
            return;
        }
        if (budget.isSpent()) {
            timer_.postNext();
            return;
        }
        send_(beat, text_);
    }
}

Heartbeats& Heartbeats::ofProcess() noexcept {
    return heartbeats;
}

Heartbeat* Heartbeats::add(const LocationConfig& config, Beat& beat, SendBeat send) noexcept {
    if (config.heartbeat == 0) {
        return nullptr;
    }
    std::string_view event = toView(config.heartbeatEvent);
    Heartbeat* heartbeat = first_;
    while (heartbeat != nullptr && !heartbeat->matches(config.heartbeat, event)) {
        heartbeat = heartbeat->following;
    }
    if (heartbeat == nullptr) {
        heartbeat = Heartbeat::make(config.heartbeat, event, send);
        if (heartbeat == nullptr) {
            return nullptr;
        }
        heartbeat->following = first_;
        first_ = heartbeat;
    }
    heartbeat->add(beat);
    return heartbeat;
}

} // namespace sse
