#include "bus/follower.hpp"

#include <algorithm>

#include "bus/decimal.hpp"
#include "http/random.hpp"
#include "sse/log_text.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// The largest reply that is not refused has at least this size, and is large enough for every event of the
// zone.
constexpr size_t kMostReply = 16 * 1024 * 1024;

// The connection is given up if no reply comes for this long: kReadPatience for XREAD, which itself waits,
// and kPatience for other commands.
constexpr ngx_msec_t kReadPatience = 7000;
constexpr ngx_msec_t kPatience = 3000;
// That does not apply if this many bytes of a reply come meanwhile: over a slow line a large reply takes
// longer.
constexpr uint64_t kMuch = 256 * 1024;

// A lineage that is neither `current` nor 0.
uint64_t randomLineage(uint64_t current) noexcept {
    const uint64_t lineage = 1 + randomNumber() % (kLineages - 1);
    return lineage != current ? lineage : 1 + lineage % (kLineages - 1);
}

size_t mostReplyOf(const Zone& zone) noexcept {
    return std::max<size_t>(kMostReply, zone.log.maxRecord() + kMostReply / 16);
}

} // namespace

void Follower::init(const BusConfig& bus, const MainConfig& main, ControlHandler onControl) noexcept {
    bus_ = &bus;
    state_ = bus.state;
    onControl_ = onControl;
    mostReply_ = mostReplyOf(*bus.zone);
    log_.init(bus, main);
    connection_.init(
        bus,
        {.self = this,
         .onReady = [](void* self) noexcept { static_cast<Follower*>(self)->sync(); },
         .onReply = [](void* self,
                       const Reply& reply) noexcept { return static_cast<Follower*>(self)->onReply(reply); },
         .onClosed = [](void* self,
                        std::string_view why) noexcept { static_cast<Follower*>(self)->onClosed(why); }},
        mostReply_);
    pulse_.init(
        bus,
        {.self = this,
         .onTime = [](void* self, uint64_t time) noexcept { static_cast<Follower*>(self)->onTime(time); },
         .onWrong = [](void* self,
                       std::string_view why) noexcept { static_cast<Follower*>(self)->reconnect(why); }});
    pause_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Follower>(e).onPause(); });
    slice_.owner = this;
    slice_.isShared = true;
    slice_.run = [](void* self) noexcept { static_cast<Follower*>(self)->onSliceTurn(); };
}

// --- The connection ---

void Follower::start() noexcept {
    setConnected(false); // the previous follower may have been killed
    connection_.prefer(state_->address.load());
    open();
}

void Follower::stop() noexcept {
    if (phase_ == Phase::Off) {
        return;
    }
    close();
    phase_ = Phase::Off;
    if (state_->follower.load() == ngx_pid) {
        setConnected(false);
    }
}

// Another worker follows now, or another log has taken over.
void Follower::stepDown() noexcept {
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "sse: bus \"%V\": this worker does not follow any more",
                  &bus_->zone->name);
    stop();
}

void Follower::open() noexcept {
    phase_ = Phase::Connecting;
    connection_.setMostReply(mostReply_);
    connection_.open();
}

void Follower::close() noexcept {
    pulse_.stop();
    connection_.close();
    pause_.cancel();
    Worker::self().cancel(slice_);
    next_ = read_ = nullptr;
    isLooking_ = false;
}

void Follower::setConnected(bool isConnected) noexcept {
    const uint32_t connected = isConnected ? 1 : 0;
    if (state_->connected.exchange(connected) != connected) {
        state_->connectedAt = ngx_current_msec;
    }
}

void Follower::onClosed(std::string_view why) noexcept {
    if (connection_.wasTooLarge()) {
        onTooLarge();
    }
    close();
    noteLost(why);
    open();
}

// To the next address.
void Follower::reconnect(std::string_view why) noexcept {
    const ShortText<200> text(why); // it may be one of a reply
    close();
    noteLost(text.view());
    open();
}

void Follower::noteLost(std::string_view why) noexcept {
    const bool wasReading = phase_ == Phase::Reading || phase_ == Phase::Marking;
    if (state_->connected.load() != 0) {
        setConnected(false);
        add(state_->reconnects);
    }
    if (wasReading) {
        pace_.reset();
    }
    if (!pace_.isTime()) {
        return;
    }
    const LogText reason(why);
    const ngx_str_t text = ngxString(reason.view());
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sse: bus \"%V\": connection to %V %s: %V",
                  &bus_->zone->name, &bus_->addresses[connection_.address()].text,
                  wasReading ? "lost" : "failed", &text);
}

// A reply was larger than anything that the zone could take. The same server is tried again, a little later.
void Follower::onTooLarge() noexcept {
    const std::optional<StreamId> id = parseStreamId(connection_.tooLargeId());
    connection_.prefer(connection_.address());
    if (isLooking_) {
        return; // syncing asks for the same, and finds out how large it is
    }
    if (phase_ == Phase::Syncing) {
        mostReply_ = std::min(mostReply_ * 4, kLargestStreamInfo);
    } else if (!id) {
        count_ = 1;
    } else if (connection_.wasOfControl()) {
        skipControl(*id);
    } else if (phase_ != Phase::Reading) {
        onLargePage(*id);
    } else if (countToAsk() > 1) {
        large_ = *id;
    } else {
        log_.skip(*id);
    }
}

// The entries of a page may be too large together. If this one alone is too large, what precedes it cannot be
// read, either.
void Follower::onLargePage(StreamId id) noexcept {
    if (asked_ > 1) {
        count_ = mostOfPage_ = std::max<size_t>(asked_ / 8, 1);
        return;
    }
    floor_ = {id.milliseconds, id.sequence + 1};
    mostOfPage_ = kMostCount;
}

// The entry comes after the events of the same reply, so as few of them as possible are asked for before it
// is given up.
void Follower::skipControl(StreamId id) noexcept {
    if (countToAsk() > 1) {
        count_ = 1;
        return;
    }
    BusState::store(state_->control, id);
    const StreamIdText text(id);
    ngx_str_t name = ngxString(text.view());
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "sse: bus \"%V\": entry %V of \"%V\" is skipped: too large", &bus_->zone->name, &name,
                  &bus_->controlKey);
}

bool Follower::onReply(const Reply& reply) noexcept {
    heardAt_ = ngx_current_msec;
    switch (phase_) {
    case Phase::Syncing:
        onSyncReply(reply);
        return true;
    case Phase::Measuring:
    case Phase::WalkingBack:
        return onPage(reply);
    case Phase::Marking:
        onMarked(reply);
        return true;
    case Phase::Reading:
        return onRead(reply);
    default:
        reconnect("a reply that nobody has asked for");
        return true;
    }
}

void Follower::onPause() noexcept {
    if (next_ != nullptr) {
        Worker::self().schedule(slice_);
    } else if (phase_ == Phase::Syncing) {
        sync();
    } else {
        goOn();
    }
}

void Follower::keepUp() noexcept {
    if (phase_ == Phase::Off) {
        return;
    }
    if (state_->follower.load() != ngx_pid) {
        return stepDown();
    }
    state_->beat = ngx_current_msec;
    noteProgress();
    const bool isWaiting = connection_.isReady() && next_ == nullptr && !pause_.waiting();
    if (isWaiting && ngx_current_msec - heardAt_ >= (phase_ == Phase::Reading ? kReadPatience : kPatience)) {
        return reconnect("no reply in time");
    }
    pulse_.keepUp();
}

void Follower::noteProgress() noexcept {
    if (connection_.received() - received_ < kMuch) {
        return;
    }
    received_ = connection_.received();
    heardAt_ = ngx_current_msec;
    if (phase_ == Phase::Reading) {
        noteEntries();
    }
}

// false: what was done has failed.
bool Follower::check(BusLog::Outcome outcome) noexcept {
    switch (outcome) {
    case BusLog::Outcome::Done:
    case BusLog::Outcome::More:
        return true;
    case BusLog::Outcome::Locked:
        pause_.cancel();
        pause_.wait(kLockPause);
        return false;
    case BusLog::Outcome::Replaced:
        stepDown();
        return false;
    case BusLog::Outcome::NoMemory:
        reconnect("no memory for an entry");
        return false;
    }
    return false;
}

// --- Syncing ---

void Follower::sync() noexcept {
    phase_ = Phase::Syncing;
    answers_ = 0;
    facts_ = {};
    heardAt_ = ngx_current_msec;
    const LogFacts log = log_.facts();
    const uint64_t candidate = log.isBound ? randomLineage(log.lineage) : log.lineage;
    const std::string_view stream = toView(bus_->stream);
    const std::string_view lineageKey = toView(bus_->lineageKey);
    const StreamIdText newest(log.newestEntry());

    connection_.add({"SET", lineageKey, Decimal(candidate).view(), "NX"});
    connection_.add({"GET", lineageKey});
    connection_.add({"XINFO", "STREAM", stream});
    connection_.add({"XRANGE", stream, newest.view(), newest.view()});
    connection_.add({"XREVRANGE", toView(bus_->controlKey), "+", "-", "COUNT", "1"});
    connection_.add({"TIME"});
    connection_.flush();
}

void Follower::onSyncReply(const Reply& reply) noexcept {
    enum { Set, Lineage, Info, Newest, Control, Time };
    const unsigned answer = answers_++;
    const bool isNoStream = answer == Info && saysNoStream(reply);
    const bool isNotSet = answer == Set && refusesWrites(reply); // there may be a lineage already
    if (reply.is(Reply::Type::Error) && !isNoStream && !isNotSet) {
        return reconnect(reply.text);
    }
    switch (answer) {
    case Lineage:
        facts_.lineage = parseLineage(reply.text).value_or(0);
        if (facts_.lineage == 0) {
            reconnect(reply.is(Reply::Type::Nil) ? "there is no lineage, and it cannot be set"
                                                 : "the key of the lineage holds none");
        }
        return;
    case Info:
        if (!isNoStream && !readStreamInfo(reply, facts_)) {
            reconnect("the key of the stream holds none");
        }
        facts_.isWhole = facts_.isWhole || isNoStream;
        return;
    case Newest:
        facts_.entry = reply.count == 0       ? StreamFacts::Entry::Missing
                       : isOurs(*reply.first) ? StreamFacts::Entry::Same
                                              : StreamFacts::Entry::Other;
        return;
    case Control:
        return onControlEnd(reply);
    case Time:
        if (const std::optional<uint64_t> time = readTime(reply)) {
            onTime(*time);
        }
        return carryOut(planSync(log_.facts(), facts_));
    default:
        return;
    }
}

bool Follower::isOurs(const Reply& entry) const noexcept {
    const uint64_t known = state_->fingerprint.load();
    return known == 0 || known == fingerprintOf(entry);
}

// What came while no worker read is read now; in a life that is new to us, everything from the first entry
// on. A kick in it may still hold. If a server has lost entries and issues older ids again, reading goes on
// after its newest entry.
void Follower::onControlEnd(const Reply& reply) noexcept {
    const Reply* entry = reply.at(0);
    const Reply* id = entry == nullptr ? nullptr : entry->at(0);
    controlEnd_ = id == nullptr ? StreamId{} : parseStreamId(id->text).value_or(StreamId{});
}

// The time of the server, whose clock may jump.
void Follower::onTime(uint64_t time) noexcept {
    log_.setClock(static_cast<int64_t>(time - unixMilliseconds()));
}

void Follower::carryOut(const SyncPlan& plan) noexcept {
    if (!check(log_.begin(plan, facts_.lineage))) {
        return;
    }
    logPlan(plan);
    const StreamId control = BusState::load(state_->control);
    control_ = std::min(control, controlEnd_);
    mostReply_ = mostReplyOf(*bus_->zone);
    newest_ = facts_.last;
    target_ = facts_.newest;
    found_.reset();
    measured_ = 0;
    floor_ = plan.beginsLife ? StreamId{} : floor_;
    switch (plan.way) {
    case SyncPlan::Way::Read:
        return beginReading(plan.from);
    case SyncPlan::Way::Fill:
        phase_ = Phase::Measuring;
        oldest_ = {};
        beganBefore_ = false;
        return askForPage("+");
    case SyncPlan::Way::WalkBack:
        phase_ = Phase::WalkingBack;
        oldest_ = {};
        return askForPage(StreamIdText(plan.from).view());
    }
}

void Follower::logPlan(const SyncPlan& plan) const noexcept {
    const char* event = plan.loses ? "the stream is another one than before, all cursors are unknown"
                        : plan.gap ? "entries have been trimmed before this machine has read them"
                        : plan.way == SyncPlan::Way::WalkBack
                            ? "the stream does not have our newest entry any more, going back"
                            : nullptr;
    if (event != nullptr) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "sse: bus \"%V\": %s", &bus_->zone->name, event);
    }
}

} // namespace sse
