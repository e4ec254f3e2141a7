#include "worker/worker.hpp"

#include <algorithm>
#include <span>
#include <unistd.h>

namespace sse {

namespace {

// How often the head of the log is looked at, woken or not: a lost wake-up costs that much time, never an
// event.
constexpr ngx_msec_t kPollTime = 1000;
// The same for a worker that nobody can wake.
constexpr ngx_msec_t kPollTimeWithoutWakeUps = 50;

// While leaving, streams are ended in steps of this.
constexpr ngx_msec_t kDrainStep = 50;

// Index entries that are looked through in one go with the zone's lock held.
constexpr uint32_t kSweep = 4096;

constinit Worker worker;

std::span<Zone* const> zonesOf(const MainConfig& config) noexcept {
    return {static_cast<Zone* const*>(config.zones.elts), config.zones.nelts};
}

// Clears a mark from the zones' indexes.
void forget(const MainConfig& config, uint32_t mark) noexcept {
    for (Zone* zone : zonesOf(config)) {
        bool more = true;
        for (uint32_t from = 0; more; from += kSweep) {
            ZoneLock lock(*zone);
            more = zone->log.forgetListener(mark, from, kSweep);
        }
    }
}

void beginCensus(const MainConfig& config) noexcept {
    for (Zone* zone : zonesOf(config)) {
        ZoneLock lock(*zone);
        zone->log.beginCensus();
    }
}

// Whether an index is more than half full, so that it may matter what is given back late.
bool isCrowded(const MainConfig& config) noexcept {
    std::span<Zone* const> zones = zonesOf(config);
    return std::any_of(zones.begin(), zones.end(), [](const Zone* zone) {
        LogFigures figures = zone->log.figures();
        return figures.channels > figures.channelCapacity / 2;
    });
}

ngx_uint_t length(const ngx_queue_t* queue) noexcept {
    ngx_uint_t count = 0;
    for (const ngx_queue_t* q = queue->next; q != queue; q = q->next) {
        ++count;
    }
    return count;
}

} // namespace

Worker& Worker::self() noexcept {
    return worker;
}

ngx_int_t Worker::start(ngx_cycle_t* cycle, const MainConfig& config) noexcept {
    ngx_queue_init(&leavers_);
    ngx_queue_init(&asked_);
    lingering_.init();
    drainTime_ = config.drain;
    turn_.init(this, [](ngx_event_t* e) { LoopEvent::owner<Worker>(e).turn(); });
    poll_.init(this, [](ngx_event_t* e) { LoopEvent::owner<Worker>(e).poll(); });
    drain_.init(
        this, [](ngx_event_t* e) { LoopEvent::owner<Worker>(e).drain(); }, LoopEvent::Kind::Blocking);

    config_ = &config;
    clearAway(registry_.claim(config.workers, cycle->log));
    if (!listenForWakeUps(cycle)) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "no wake-ups: this worker looks for events by a timer");
        poll_.setKind(LoopEvent::Kind::Blocking); // nothing else tells it to leave, see poll()
    }
    poll();
    return NGX_OK;
}

// What is not used any more in the zones' indexes.
void Worker::clearAway(const Registry::LeftBehind& left) noexcept {
    for (uint32_t mark = 0; mark < kMaxListeners; ++mark) {
        if (left.has(mark)) {
            forget(*config_, mark);
        }
    }
    if (left.counts) {
        beginCensus(*config_);
    }
    if (left.marks != ListenerSet{}) {
        registry_.cleared(left);
    }
    if (left.counts) {
        registry_.wakeAll(); // to take part in the census
    }
}

// By a better mark, if there is one. What has come meanwhile may have woken nobody: look at the log then.
void Worker::changeMark() noexcept {
    uint32_t mark = registry_.beginChange(!leaving());
    if (mark == kMaxListeners) {
        return;
    }
    for (Tail* tail = tails_; tail != nullptr; tail = tail->following) {
        tail->channels().listenAs(mark);
    }
    int before = registry_.eventfd();
    registry_.finishChange();
    if (wakeUp_ != nullptr && registry_.eventfd() != before) {
        followEventfd(before == -1);
    }
}

void Worker::stop() noexcept {
    registry_.release();
}

// The eventfd's connection counts as idle, so that nginx tells it when the worker is to leave, and as a
// channel, so that it is not missed at exit. Level-triggered and for reading only, like nginx's own channel.
bool Worker::listenForWakeUps(ngx_cycle_t* cycle) noexcept {
    int fd = registry_.eventfd();
    if (fd == -1) {
        fd = Registry::makeEventfd(cycle->log);
    }
    if (fd == -1) {
        return false;
    }
    // One is left for nginx's own channel, without which it does not start a worker.
    ngx_connection_t* c = cycle->free_connection_n < 2 ? nullptr : ngx_get_connection(fd, cycle->log);
    if (c == nullptr) {
        return false;
    }
    c->pool = cycle->pool;
    c->data = this;
    c->read->log = c->write->log = cycle->log;
    c->read->channel = c->write->channel = 1;
    c->read->handler = [](ngx_event_t* e) {
        static_cast<Worker*>(static_cast<ngx_connection_t*>(e->data)->data)->onWakeUp();
    };
    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_free_connection(c);
        return false;
    }
    c->idle = 1;
    wakeUp_ = c;
    return true;
}

// After the worker has changed its entry. The old eventfd is closed if it is not in the registry.
void Worker::followEventfd(bool closeOld) noexcept {
    int old = wakeUp_->fd;
    ngx_del_event(wakeUp_->read, NGX_READ_EVENT, 0);
    wakeUp_->fd = registry_.eventfd();
    if (closeOld) {
        close(old);
    }
    if (ngx_add_event(wakeUp_->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "this worker cannot be woken any more");
    }
}

void Worker::onWakeUp() noexcept {
    if (wakeUp_->close && !draining_) {
        beginDrain();
    }
    uint64_t count;
    [[maybe_unused]] ssize_t bytes = read(wakeUp_->fd, &count, sizeof(count));
    counters().pending.store(0); // before the log is looked at: what comes now wakes again
    turn_.post();
}

void Worker::wake(const ListenerSet& listeners) noexcept {
    if (registry_.wake(listeners)) {
        runSoon();
    }
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

void Worker::turn() noexcept {
    bool more = false;
    for (Tail* tail = tails_; tail != nullptr; tail = tail->following) {
        tail->channels().answerCensus();
        more = tail->turn() || more;
    }
    if (more) {
        runSoon();
    }
}

// One that was killed while leaving has no successor to clear up after it; but who is leaving himself may
// know other zones than those who stay.
void Worker::checkRegistry() noexcept {
    checked_ = ngx_current_msec;
    if (!leaving()) {
        clearAway(registry_.claimLeftBehind());
        registry_.turnOver(isCrowded(*config_));
    }
    changeMark();
}

// A worker that was killed between raising our flag and writing to our eventfd must not keep others from
// waking us.
void Worker::poll() noexcept {
    counters().pending.store(0);
    if (ngx_exiting && !draining_) { // without an eventfd nobody has told us
        poll_.setKind(LoopEvent::Kind::Cancelable);
        beginDrain();
    }
    if (ngx_current_msec - checked_ >= kPollTime) {
        checkRegistry();
    }
    turn();
    poll_.wait(wakeUp_ == nullptr || registry_.eventfd() == -1 ? kPollTimeWithoutWakeUps : kPollTime);
}

// --- Leaving ---

// What comes when all others have gone already has its turn too.
void Worker::add(Leaver& leaver) noexcept {
    ngx_queue_insert_tail(&leavers_, &leaver.link);
    if (draining_ && !drain_.waiting()) {
        drain_.wait(kDrainStep);
    }
}

void Worker::remove(Leaver& leaver, ngx_http_request_t* request) noexcept {
    ngx_queue_remove(&leaver.link);
    noteEnd(request);
}

// A client that has not sent all of its request may go on doing so for long after the end.
void Worker::noteEnd(ngx_http_request_t* request) noexcept {
    const ngx_http_request_t& main = *request->main;
    bool hasBody = main.headers_in.content_length_n > 0 || main.headers_in.chunked;
    bool unread = main.reading_body || main.discard_body || (hasBody && main.request_body == nullptr);
    if (config_ != nullptr && (leaving() || unread)) { // without a zone there is nothing to leave
        lingering_.watch(request);
    }
}

// Streams end one after the other over sse_drain, so that their clients do not all come back at once. The
// timer is set here and now: nginx exits as soon as it finds none that is not cancelable.
void Worker::beginDrain() noexcept {
    draining_ = true;
    lingering_.closeAfter(drainTime_);
    drainStart_ = ngx_current_msec;
    drainTotal_ = length(&leavers_);
    drained_ = 0;
    if (drainTotal_ != 0) {
        drain_.wait(1);
    }
}

void Worker::drain() noexcept {
    ngx_msec_t elapsed = ngx_current_msec - drainStart_;
    bool over = elapsed >= drainTime_;
    // The first one goes at once, the last one when the time is up.
    ngx_uint_t due = over ? drainTotal_ : drainTotal_ * elapsed / drainTime_ + 1;

    // Asking may end others as well; only the heads of the queues are held on to.
    while ((drained_ < due || over) && !ngx_queue_empty(&leavers_)) {
        ngx_queue_t* q = ngx_queue_head(&leavers_);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&asked_, q);
        ++drained_;
        auto* leaver = queueItem<Leaver>(q, offsetof(Leaver, link));
        leaver->leave(*leaver, false);
    }
    while (over && !ngx_queue_empty(&asked_)) {
        auto* leaver = queueItem<Leaver>(ngx_queue_head(&asked_), offsetof(Leaver, link));
        leaver->leave(*leaver, true);
    }
    if (!ngx_queue_empty(&leavers_) || !ngx_queue_empty(&asked_)) {
        drain_.wait(kDrainStep);
    }
}

} // namespace sse
