#include "worker/drain.hpp"

#include "worker/budget.hpp"

namespace sse {

namespace {

constexpr ngx_msec_t kStep = 50;

ngx_uint_t length(const ngx_queue_t* queue) noexcept {
    ngx_uint_t count = 0;
    for (const ngx_queue_t* q = queue->next; q != queue; q = q->next) {
        ++count;
    }
    return count;
}

} // namespace

void Drain::init(ngx_msec_t time) noexcept {
    ngx_queue_init(&pending_);
    ngx_queue_init(&asked_);
    time_ = time;
    timer_.init(
        this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Drain>(e).step(); }, LoopEvent::Kind::Blocking);
}

void Drain::add(Drainable& drainable) noexcept {
    ngx_queue_insert_tail(&pending_, &drainable.link);
    if (started_ && !timer_.waiting()) {
        timer_.wait(kStep);
    }
}

// nginx-internal: os/unix/ngx_process_cycle.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a leaving worker exits as
// soon as it finds no timer that is not cancelable, so one is set here and now.
void Drain::start() noexcept {
    started_ = true;
    startedAt_ = ngx_current_msec;
    total_ = length(&pending_);
    done_ = 0;
    if (total_ != 0) {
        timer_.wait(1);
    }
}

// However many are due, other connections do not wait until all of them have ended.
void Drain::step() noexcept {
    const Budget budget(kTurnTime);
    ngx_msec_t elapsed = ngx_current_msec - startedAt_;
    bool isOver = elapsed >= time_;
    // The first one goes at once, the last one when the time is up.
    ngx_uint_t due = isOver ? total_ : total_ * elapsed / time_ + 1;

    // Asking may end other streams as well, so only the heads of the queues are used.
    while ((done_ < due || isOver) && !ngx_queue_empty(&pending_) && !budget.isSpent()) {
        ngx_queue_t* q = ngx_queue_head(&pending_);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&asked_, q);
        ++done_;
        auto* drainable = queueItem<Drainable>(q, offsetof(Drainable, link));
        drainable->drain(*drainable, false);
    }
    while (isOver && !ngx_queue_empty(&asked_) && !budget.isSpent()) {
        auto* drainable = queueItem<Drainable>(ngx_queue_head(&asked_), offsetof(Drainable, link));
        drainable->drain(*drainable, true);
    }
    if (!ngx_queue_empty(&pending_) || !ngx_queue_empty(&asked_)) {
        timer_.wait(budget.isSpent() ? 1 : kStep);
    }
}

} // namespace sse
