// The worker: the module's state in one nginx worker process.
#pragma once

#include "conf/config.hpp"
#include "fanout/tail.hpp"
#include "roster/registry.hpp"
#include "worker/drain.hpp"
#include "worker/guests.hpp"
#include "worker/lingering.hpp"
#include "worker/loop_event.hpp"
#include "worker/upkeep.hpp"
#include "worker/wakeups.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class Worker {
public:
    static Worker& self() noexcept;

    // In a process that has just been forked (or is the only one).
    ngx_int_t start(ngx_cycle_t* cycle, const MainConfig& config) noexcept;
    void stop() noexcept;

    Registry& registry() noexcept { return registry_; }
    // What the other workers see of this one.
    WorkerEntry& entry() noexcept { return registry_.own(); }
    Guests& guests() noexcept { return guests_; }

    // The tail of a zone, made on first use; NULL without memory.
    Tail* tail(Zone& zone) noexcept;

    // Whether channels may be listened to: not while the index may still know this worker's listener id from
    // a dead worker.
    bool mayListen() const noexcept { return !upkeep_.isLeft(registry_.listenerId()); }

    // Wakes the workers that listen, this one included. After an append, without the zone's lock.
    void wake(const ListenerSet& listeners) noexcept;

    // After a kick: makes all workers look at their guests.
    void wakeAll() noexcept;

    // Makes the tails read on in the next turn of the event loop, together with what arrives until then.
    void runSoon() noexcept { turn_.postNext(); }

    // Has a task run when its turn comes, not before the next turn of the event loop.
    void schedule(Task& task) noexcept;
    void cancel(Task& task) noexcept { WorkQueue::remove(task); }
    // Whether tasks of requests wait; then work that could be done at once should come after them.
    bool isBusy() const noexcept { return !work_.isEmpty(); }

    // Registers what has to end when the worker leaves.
    void add(Drainable& drainable) noexcept { drain_.add(drainable); }
    // The drainable ends, and its request ends with it or soon after.
    void remove(Drainable& drainable, ngx_http_request_t* request) noexcept;
    // A request of ours has been answered.
    void noteEnd(ngx_http_request_t* request) noexcept;
    // Whether it is leaving: what begins now should end at once.
    bool isDraining() const noexcept { return ngx_exiting || drain_.hasStarted(); }

private:
    void onWakeUp() noexcept;
    void clearPending() noexcept;
    void turn() noexcept;
    void poll() noexcept;
    void checkRegistry() noexcept;
    void changeListenerId() noexcept;
    void takeEntry() noexcept;
    static void countAtPlace(uint32_t place) noexcept;
    void showState() noexcept;
    void startDrain() noexcept;

    Registry registry_;
    Guests guests_;
    Upkeep upkeep_;
    uint32_t nextListenerId_ = kMaxListeners; // the one that it is changing to
    const MainConfig* config_ = nullptr;
    Tail* tails_ = nullptr;

    WakeUps wakeUps_;
    WorkQueue sharedWork_;
    WorkQueue work_; // of single requests
    LoopEvent turn_;
    LoopEvent poll_;
    ngx_msec_t checked_ = 0; // when the registry was checked

    Drain drain_;
    Lingering lingering_;
};

} // namespace sse
