#include "master.hpp"

#include "trace.hpp"
#include "world.hpp"

namespace sse::sim {

void Master::live() {
    for (;;) {
        sleep();
        if (world_.zone->header().retired != 0 || world_.random.chance(80)) {
            resize();
        } else {
            beginAnew();
        }
    }
}

// Until some events have come, unless a master has died and left the log retired.
void Master::sleep() {
    const uint64_t until = world_.published + 5 + world_.random.below(60);
    while (world_.published < until && world_.zone->header().retired == 0) {
        scheduler.pause();
    }
}

void Master::resize() {
    {
        const Quiet quiet(scheduler);
        old_ = world_.zone;
        next_ = world_.makeZone(old_->life);
        trace.note("%lu resizes the log to %lu", pid, next_->log().capacity());
    }
    ++writing;
    TakeOver(next_->log(), old_->log()).run([this](auto&& visit) {
        {
            const Lock lock(world_, *old_);
            visit(old_->log());
        }
        scheduler.pause();
    });
    --writing;
    const Quiet quiet(scheduler);
    next_->inherit(*old_);
    next_->check();
    world_.use(next_);
    ++figures.resizes;
    trace.note("%lu has resized the log", pid);
    old_ = next_ = nullptr;
}

// As after an upgrade to a module that cannot read the log, or the end of nginx. Old workers continue for a
// while.
void Master::beginAnew() {
    const Quiet quiet(scheduler);
    next_ = world_.makeZone(world_.beginLife());
    if (world_.random.chance(50)) {
        next_->log().noteLoss();
        next_->life->beganWithLoss = true;
    }
    world_.use(std::move(next_));
    ++figures.lives;
    trace.note("%lu begins a new life", pid);
}

} // namespace sse::sim
