#include "worker/worker.hpp"

#include "counters/zone_counters.hpp"
#include "http/body.hpp"
#include "worker/budget.hpp"
#include "worker/upkeep.hpp"

namespace sse {

namespace {

// How often the head of the log is checked, woken or not: a lost wake-up costs that much time, never an
// event.
constexpr ngx_msec_t kPollTime = 1000;
// The same for a worker that nothing can wake.
constexpr ngx_msec_t kPollTimeWithoutWakeUps = 50;

// The most slices in a turn. What is published while subscribers wait for their turn reaches them in one
// write, so serving the connections more often saves writes.
constexpr int kTurnSlices = 8;

constinit Worker worker;

} // namespace

Worker& Worker::self() noexcept {
    return worker;
}

ngx_int_t Worker::start(ngx_cycle_t* cycle, const MainConfig& config) noexcept {
    lingering_.init();
    drain_.init(config.drain);
    sharedWork_.init();
    work_.init();
    turn_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Worker>(e).turn(); });
    poll_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Worker>(e).poll(); });

    config_ = &config;
    guests_.init(config);
    upkeep_.init(config, registry_);
    takeEntry();
    while (upkeep_.runSlice()) { // no client has come yet that would wait
    }
    bool isWoken = wakeUps_.listen(cycle, registry_, this, [](ngx_event_t* e) noexcept {
        static_cast<Worker*>(static_cast<ngx_connection_t*>(e->data)->data)->onWakeUp();
    });
    if (!isWoken) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "no wake-ups: this worker polls for events");
        poll_.setKind(LoopEvent::Kind::Blocking); // nothing else reports that it must leave, see poll()
    }
    poll();
    return NGX_OK;
}

// Changes to a better listener id, if there is one, in slices: called again and again until the channels have
// it. What has arrived meanwhile may have woken no worker, so the caller reads the log next.
void Worker::changeListenerId() noexcept {
    if (nextListenerId_ == kMaxListeners) {
        nextListenerId_ = registry_.beginChange(!isDraining());
    }
    if (nextListenerId_ == kMaxListeners) {
        return;
    }
    bool done = true;
    for (Tail* tail = tails_; tail != nullptr; tail = tail->following) {
        done = tail->channels().listenAs(nextListenerId_) && done;
    }
    if (!done) {
        return;
    }
    int before = registry_.eventfd();
    if (registry_.finishChange(countAtPlace)) {
        nextListenerId_ = kMaxListeners;
        wakeUps_.follow(registry_, before);
    }
}

// Takes an entry in the roster. Takes none while the lock is not available.
void Worker::takeEntry() noexcept {
    const int before = registry_.eventfd();
    upkeep_.add(registry_.claim(config_->workers, ngx_cycle->log, countAtPlace));
    wakeUps_.follow(registry_, before);
}

void Worker::countAtPlace(uint32_t place) noexcept {
    for (Zone* zone :
         std::span(static_cast<Zone* const*>(worker.config_->zones.elts), worker.config_->zones.nelts)) {
        countAt(*zone, place);
    }
}

// nginx-internal: core/ngx_cycle.h (1.22.1, 1.26.3, 1.30.4, 1.31.4): how many connections of the cycle are
// free.
void Worker::showState() noexcept {
    WorkerEntry& entry = this->entry();
    const ngx_uint_t all = ngx_cycle->connection_n;
    entry.draining.store(isDraining() ? 1 : 0, std::memory_order_relaxed);
    entry.connections.store(static_cast<uint32_t>(all - ngx_cycle->free_connection_n),
                            std::memory_order_relaxed);
    entry.mostConnections.store(static_cast<uint32_t>(all), std::memory_order_relaxed);
}

void Worker::stop() noexcept {
    guests_.stop();
    registry_.release();
}

void Worker::onWakeUp() noexcept {
    entry().wakeUpsReceived.add();
    if (wakeUps_.receive() && !drain_.hasStarted()) {
        startDrain();
    }
    clearPending();
    turn_.post();
}

// Called before the log is read: what comes from now on wakes this worker again. A store would not do,
// because on some processors a load after it may see an older head. A publisher that finds the flag set does
// not wake this worker. The exchange reads what that publisher has written to the flag, so this worker sees
// what it has appended before.
void Worker::clearPending() noexcept {
    entry().pending.exchange(0);
}

void Worker::wake(const ListenerSet& listeners) noexcept {
    if (registry_.wake(listeners)) {
        runSoon();
    }
}

void Worker::wakeAll() noexcept {
    registry_.wakeAll();
    runSoon();
}

Tail* Worker::tail(Zone& zone) noexcept {
    for (Tail* tail = tails_; tail != nullptr; tail = tail->following) {
        if (tail->zone().log.isSame(zone.log)) {
            return tail;
        }
    }
    Tail* tail = Tail::make(zone, registry_, []() noexcept { worker.runSoon(); });
    if (tail != nullptr) {
        tail->following = tails_;
        tails_ = tail;
    }
    return tail;
}

void Worker::schedule(Task& task) noexcept {
    (task.isShared ? sharedWork_ : work_).add(task);
    runSoon();
}

// Does a slice of each zone, of the shared work, and of one request's task after the other, until nothing is
// left or the time is up.
void Worker::turn() noexcept {
    const Budget budget(kTurnTime);
    int slices = 0;
    bool more;
    do {
        more = false;
        for (Tail* tail = tails_; tail != nullptr; tail = tail->following) {
            more = tail->runSlice() || more;
        }
        more = guests_.runSlice() || more;
        more = upkeep_.runSlice() || more;
        more = sharedWork_.runOne() || more;
        more = work_.runOne() || more;
    } while (more && ++slices < kTurnSlices && !budget.isSpent());
    entry().turns.add();
    entry().turnTime.add(budget.spent());
    if (more) {
        runSoon();
    }
}

// A worker that was killed while it was leaving has no successor to clean up after it, so others do. A worker
// that is leaving does not, because it may have other zones than the workers that stay.
void Worker::checkRegistry() noexcept {
    checked_ = ngx_current_msec;
    guests_.keepUp();
    if (!registry_.hasEntry()) {
        takeEntry();
    } else if (!isDraining()) {
        if (upkeep_.isDone()) {
            upkeep_.add(registry_.claimLeftBehind());
        }
        registry_.turnOver(isCrowded(*config_));
    }
    changeListenerId();
}

// A worker that was killed between setting our flag and writing to our eventfd must not keep others from
// waking us.
void Worker::poll() noexcept {
    clearPending();
    // nginx-internal: os/unix/ngx_process_cycle.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_exiting is set when
    // the worker must leave, which without an eventfd no event reports.
    if (ngx_exiting && !drain_.hasStarted()) {
        poll_.setKind(LoopEvent::Kind::Cancelable);
        startDrain();
    }
    if (ngx_current_msec - checked_ >= kPollTime) {
        checkRegistry();
    }
    showState();
    turn();
    poll_.wait(!wakeUps_.areHeard() || registry_.eventfd() == -1 ? kPollTimeWithoutWakeUps : kPollTime);
}

// --- Leaving ---

void Worker::remove(Drainable& drainable, ngx_http_request_t* request) noexcept {
    Drain::remove(drainable);
    noteEnd(request);
}

// A client that has not sent all of its request may continue to do so long after the end.
//
// nginx-internal: http/ngx_http_request.c, http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the
// same conditions decide whether nginx lingers.
void Worker::noteEnd(ngx_http_request_t* request) noexcept {
    const ngx_http_request_t& main = *request->main;
    bool unread = main.lingering_close || main.reading_body || main.discard_body ||
                  (hasBody(main) && main.request_body == nullptr);
    if (config_ != nullptr && (isDraining() || unread)) { // without a zone there is nothing to leave
        lingering_.watch(request);
    }
}

void Worker::startDrain() noexcept {
    lingering_.closeAfter(drain_.time());
    drain_.start();
    showState();
}

} // namespace sse
