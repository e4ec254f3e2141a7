#include "bus/pipeline.hpp"

#include <algorithm>

#include "bus/command.hpp"
#include "bus/decimal.hpp"
#include "bus/sync.hpp"
#include "http/random.hpp"
#include "http/respond.hpp"
#include "sse/channel_names.hpp"
#include "sse/log_text.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// How often the pipeline checks what depends on time.
constexpr ngx_msec_t kTick = 100;
// After this long without Redis, nothing waits for it any more.
constexpr ngx_msec_t kAwayTime = 1000;
// A connection is given up if its replies do not come for this long.
constexpr ngx_msec_t kMostSilence = 2000;
// How many orders are told in a slice.
constexpr int kOrdersAtATime = 32;

// "<prefix>-<number>"
class Token {
public:
    Token(std::string_view prefix, uint64_t number) noexcept : text_(prefix) {
        text_.append("-");
        text_.append(Decimal(number).view());
    }
    std::string_view view() const noexcept { return text_.view(); }

private:
    ShortText<40> text_;
};

ShortText<16> randomPrefix() noexcept {
    uint64_t number = randomNumber();
    char text[16];
    for (char& c : text) {
        c = "0123456789abcdef"[number & 15];
        number >>= 4;
    }
    return ShortText<16>({text, sizeof(text)});
}

// The name by which Redis knows a script.
ShortText<kScriptName> nameOf(std::string_view script) noexcept {
    ngx_sha1_t sha1;
    u_char digest[20];
    u_char text[kScriptName];
    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, script.data(), script.size());
    ngx_sha1_final(digest, &sha1);
    ngx_hex_dump(text, digest, sizeof(digest));
    return ShortText<kScriptName>({reinterpret_cast<char*>(text), sizeof(text)});
}

} // namespace

Pipeline::Pipeline(const BusConfig& config, BusState& state) noexcept
    : config_(config), state_(state), flight_(this, [](void* self) noexcept {
          Worker::self().schedule(static_cast<Pipeline*>(self)->progress_);
      }) {}

void Pipeline::start() noexcept {
    tokenPrefix_ = randomPrefix();
    script_ = nameOf(kPublishScript);
    progress_.owner = this;
    progress_.isShared = true;
    progress_.run = [](void* self) noexcept { static_cast<Pipeline*>(self)->progress(); };
    flushing_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Pipeline>(e).flush(); });
    tick_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Pipeline>(e).tick(); });
    connection_.init(
        config_,
        {.self = this,
         .onReady = [](void* self) noexcept { static_cast<Pipeline*>(self)->setUp(); },
         .onReply = [](void* self,
                       const Reply& reply) noexcept { return static_cast<Pipeline*>(self)->onReply(reply); },
         .onClosed = [](void* self,
                        std::string_view why) noexcept { static_cast<Pipeline*>(self)->onClosed(why); }},
        kMostReply);
    isStarted_ = true;
    mostReply_ = kMostReply;
    downSince_ = ngx_current_msec;
    open();
    tick_.wait(kTick);
}

// The server that the follower reads from is a master.
void Pipeline::open() noexcept {
    if (state_.connected.load() != 0) {
        connection_.prefer(state_.address.load());
    }
    connection_.setMostReply(mostReply_);
    connection_.open();
}

void Pipeline::stop() noexcept {
    if (isStarted_) {
        isStarted_ = false;
        tick_.cancel();
        flushing_.cancel();
        Worker::self().cancel(progress_);
        connection_.close();
    }
}

// --- Handing over ---

// An idle connection does not notice that Redis has fallen silent, but the follower does.
bool Pipeline::isUp() const noexcept {
    return isStarted_ && state_.isUp() && (step_ == Step::Ready ? !isSilentFor(kAwayTime) : !isAway());
}

Pipeline::Taken Pipeline::publish(Order& order, std::string_view usual, const StagedEvent& event,
                                  EntryFlags flags) noexcept {
    flags.ends = flags.ends || event.ends;
    if (!isUp()) {
        return Taken::Away;
    }
    size_t copies = std::max<size_t>(countNames(event.channels), 1);
    Taken taken = Taken::Yes;
    const auto add = [&](std::string_view channel) noexcept {
        const Token token(tokenPrefix_.view(), flight_.next());
        const bool isLast = --copies == 0;
        taken = accept(
            addEntryCommand(flight_.draft(), toView(config_.stream), channel, event, flags, token.view()),
            {.kind = Flight::Kind::Event, .isPart = !isLast, .events = isLast ? 1U : 0U, .order = &order});
        return taken == Taken::Yes;
    };
    event.channels.empty() ? add(usual) : eachName(event.channels, add);
    return taken;
}

Pipeline::Taken Pipeline::end(Order& order, std::string_view channel) noexcept {
    if (!isUp()) {
        return Taken::Away;
    }
    const Token token(tokenPrefix_.view(), flight_.next());
    return accept(addEndCommand(flight_.draft(), toView(config_.stream), channel, token.view()),
                  {.kind = Flight::Kind::Event, .order = &order});
}

Pipeline::Taken Pipeline::askNewest(Order& order) noexcept {
    if (!isUp()) {
        return Taken::Away;
    }
    return accept(addNewestCommand(flight_.draft(), script_.view(), toView(config_.stream)),
                  {.kind = Flight::Kind::Whole, .order = &order});
}

Pipeline::Taken Pipeline::publishWhole(Order& order, const WholeRequest& request) noexcept {
    if (!isUp()) {
        return Taken::Away;
    }
    uint32_t events = 0;
    if (request.events != nullptr && !request.checksOnly) {
        request.events->each([&events](const StagedEvent&) noexcept { return ++events != 0; });
    }
    const Token token(tokenPrefix_.view(), flight_.next());
    return accept(addPublishCommand(flight_.draft(), script_.view(), toView(config_.stream), request,
                                    config_.keep, token.view()),
                  {.kind = Flight::Kind::Whole, .events = events, .order = &order});
}

bool Pipeline::ask(Question& question, std::span<const std::string_view> words) noexcept {
    return isUp() && accept(addCommand(flight_.draft(), words),
                            {.kind = Flight::Kind::Question, .question = &question}) == Taken::Yes;
}

// The command is sent with everything that is handed over in this turn of the event loop. In the stream it
// comes after everything that this machine has read.
Pipeline::Taken Pipeline::accept(bool isRendered, Flight::Command command) noexcept {
    if (!isRendered) {
        flight_.dropDraft();
        return Taken::NoMemory;
    }
    if (flight_.isEmpty() && state_.lineage.load() == lineage_) {
        since_ = std::max(since_, state_.position());
    }
    command.due = ngx_current_msec + config_.timeout;
    if (!flight_.add(command)) {
        return Taken::NoMemory;
    }
    if (!flushing_.waiting()) {
        flushing_.post();
    }
    return Taken::Yes;
}

// --- Sending, and what comes back ---

// Redis answers nothing while it waits for replicas. So what comes meanwhile is sent afterwards, and is
// waited for together.
void Pipeline::flush() noexcept {
    if (step_ != Step::Ready || !flight_.hasQueued() || flight_.isWaiting()) {
        return;
    }
    if (acks() != 0 && flight_.hasQueuedWrites() && !addWait()) {
        return; // no memory: tick() tries again
    }
    if (!flight_.isAwaiting()) {
        heardAt_ = ngx_current_msec;
        expected_ = toStreamId(config_.zone->log.lastId());
    }
    if (flight_.send(connection_.output())) {
        connection_.flush();
    }
}

bool Pipeline::addWait() noexcept {
    const Decimal replicas(acks());
    const Decimal time(waitTime());
    const std::string_view words[] = {"WAIT", replicas.view(), time.view()};
    return accept(addCommand(flight_.draft(), words), {.kind = Flight::Kind::Wait}) == Taken::Yes;
}

bool Pipeline::addRaise() noexcept {
    const std::string_view words[] = {"XADD", toView(config_.stream), "*", "raise", "1"};
    return accept(addCommand(flight_.draft(), words), {.kind = Flight::Kind::Event}) == Taken::Yes;
}

bool Pipeline::onReply(const Reply& reply) noexcept {
    heardAt_ = ngx_current_msec;
    if (step_ != Step::Ready && step_ != Step::Leaving) {
        onSetUp(reply);
        return true;
    }
    onAnswer(reply);
    if (step_ == Step::Leaving) {
        finishLeaving();
    } else {
        flush();
    }
    return true;
}

void Pipeline::onAnswer(const Reply& reply) noexcept {
    const uint64_t number = flight_.awaited();
    if (number == Flight::kNone) {
        reconnect("a reply to nothing");
        return;
    }
    switch (flight_.command(number).kind) {
    case Flight::Kind::Event:
        return onEventAnswer(number, reply);
    case Flight::Kind::Whole:
        return onWholeAnswer(number, reply);
    case Flight::Kind::Wait:
        return onWaitAnswer(number, reply);
    case Flight::Kind::Question:
        return flight_.answer(number, reply);
    }
}

void Pipeline::onEventAnswer(uint64_t number, const Reply& reply) noexcept {
    const std::optional<StreamId> id = reply.is(Reply::Type::Text) ? parseStreamId(reply.text) : std::nullopt;
    if (id && !reaches(*id)) {
        log("the stream issues ids that machines do not read", reply.text);
        flight_.refuse(number, Failure::Unknown);
        leave(false);
    } else if (id) {
        noteAccepted(*id);
        flight_.accept(number, *id, acks() != 0);
    } else if (reply.is(Reply::Type::Error)) {
        refuse(number, Failure::Refused, reply);
    } else {
        leaveAtOnce();
    }
}

// After an error no replica is known.
void Pipeline::onWaitAnswer(uint64_t number, const Reply& reply) noexcept {
    if (!reply.is(Reply::Type::Integer) && !reply.is(Reply::Type::Error)) {
        leaveAtOnce();
        return;
    }
    since_ = accepted_;
    flight_.confirm(number, static_cast<uint32_t>(reply.integer));
}

// An error without a code of its own may have come after some of the entries.
void Pipeline::onWholeAnswer(uint64_t number, const Reply& reply) noexcept {
    if (reply.isError("NOSCRIPT") && flight_.repeat(number)) {
        leave(false);
        return;
    }
    const RequestRecord record = readRequestRecord(reply);
    const bool isNew = record.kind == RequestRecord::Kind::Published;
    const bool isAny = record.kind == RequestRecord::Kind::Newest; // whoever has added that entry
    if (isNew ? !reaches(record.id) : !isAny && !fitsEventId(record.id)) {
        log("the stream issues ids that machines do not read", StreamIdText(record.id).view());
        flight_.refuse(number, Failure::Unknown);
        leave(false);
    } else if (record.kind != RequestRecord::Kind::None) {
        if (isNew) {
            noteAccepted(record.id);
        }
        flight_.acceptWhole(number, record, acks() != 0);
    } else if (reply.is(Reply::Type::Error)) {
        refuse(number, reply.isError("ERR") ? Failure::Unknown : Failure::Refused, reply);
    } else {
        leaveAtOnce();
    }
}

// Whether machines read an entry with that id. They do not if the stream has been deleted and again issues
// ids that are older than those of our log, or if another program has added an entry with a sequence that
// does not fit a log.
bool Pipeline::reaches(StreamId id) const noexcept {
    return fitsEventId(id) && id > expected_;
}

void Pipeline::noteAccepted(StreamId id) noexcept {
    accepted_ = id;
    if (acks() == 0) {
        since_ = id;
    }
}

void Pipeline::refuse(uint64_t number, Failure failure, const Reply& reply) noexcept {
    log("Redis refuses an event", reply.text);
    if (isOfServer(reply)) {
        leave(true);
    }
    flight_.refuse(number, failure);
}

// The replies are not those to what was sent, so those that are to come could be taken for others. Another
// connection finds out where the events are.
void Pipeline::leaveAtOnce() noexcept {
    reconnect("a reply to something else");
}

// Nothing more is sent until all replies have come.
void Pipeline::leave(bool mustReconnect) noexcept {
    if (step_ == Step::Ready) {
        downSince_ = ngx_current_msec;
        mustReconnect_ = false;
    }
    step_ = Step::Leaving;
    mustReconnect_ = mustReconnect_ || mustReconnect;
}

void Pipeline::finishLeaving() noexcept {
    if (!flight_.isAwaiting()) {
        mustReconnect_ ? reconnect("the server is not the master any more") : setUp();
    }
}

// --- Time, and the end of a connection ---

void Pipeline::tick() noexcept {
    flight_.expire(ngx_current_msec);
    hurry();
    if (isSilentFor(std::min(kMostSilence, config_.timeout / 2))) {
        reconnect("no reply");
    } else if (step_ == Step::Lineage && !isAsked_) {
        askLineage();
    } else if (step_ == Step::Ready && state_.lineage.load(std::memory_order_acquire) != lineage_) {
        leave(false);
        finishLeaving();
    }
    if (step_ != Step::Ready && isAway()) {
        flight_.failQueued();
    }
    if (!isUp()) {
        flight_.endThirst();
    }
    flush();
    report();
    tick_.wait(kTick);
}

// Once the follower has found the master, there is nothing to wait for before the next attempt.
void Pipeline::hurry() noexcept {
    const ngx_msec_t connectedAt = state_.connectedAt.load();
    if (state_.connected.load() != 0 && connectedAt != hurriedFor_ &&
        connection_.hurry(state_.address.load())) {
        hurriedFor_ = connectedAt;
    }
}

// While nothing comes through the bus, no publisher is asked to wait. Once something does, publishers wait
// for as long as this connection may need. Another process may have seen a later time than this one.
bool Pipeline::isAway() const noexcept {
    const ngx_msec_t since = std::max<ngx_msec_t>(downSince_, state_.aliveAt.load());
    return static_cast<ngx_msec_int_t>(ngx_current_msec - since) >= static_cast<ngx_msec_int_t>(kAwayTime);
}

bool Pipeline::isSilentFor(ngx_msec_t time) const noexcept {
    return (isAsked_ || flight_.isAwaiting()) &&
           ngx_current_msec - heardAt_ >= time + (flight_.isWaiting() ? waitTime() : 0);
}

// How long Redis waits for replicas. The publishers of the next batch wait for that, too, so it is less than
// the time that they have.
ngx_msec_t Pipeline::waitTime() const noexcept {
    return std::max<ngx_msec_t>(config_.timeout / 5, 1);
}

void Pipeline::onClosed(std::string_view why) noexcept {
    logLost("the connection for publishing is lost", why);
    if (step_ == Step::Newest && connection_.wasTooLarge()) {
        mostReply_ = std::min(mostReply_ * 4, kLargestStreamInfo);
    }
    const std::optional<StreamId> tooLarge = parseStreamId(connection_.tooLargeId());
    if (step_ == Step::Search && tooLarge) { // the entry is not ours
        searched_ = page_ == 1 ? *tooLarge : searched_;
        page_ = 1;
        step_ = Step::Closed;
        isAsked_ = false;
    } else {
        onLost();
    }
    open();
}

void Pipeline::reconnect(std::string_view why) noexcept {
    logLost("the connection for publishing is given up", why);
    connection_.close();
    onLost();
    open();
}

void Pipeline::onLost() noexcept {
    if (step_ == Step::Ready) {
        downSince_ = flight_.isAwaiting() ? heardAt_ : ngx_current_msec;
    }
    step_ = Step::Closed;
    isAsked_ = false;
    flight_.lose();
    searched_ = since_;
    page_ = kPage;
}

// --- Telling ---

void Pipeline::progress() noexcept {
    int orders = 0;
    while (flight_.progress()) {
        if (++orders == kOrdersAtATime) {
            Worker::self().schedule(progress_);
            break;
        }
    }
    report();
}

void Pipeline::report() noexcept {
    const Flight::Tally& tally = flight_.tally();
    const auto report = [](SharedWord& counter, uint64_t now, uint64_t before) noexcept {
        if (now != before) {
            add(counter, now - before);
        }
    };
    report(state_.published, tally.published, reported_.published);
    report(state_.refused, tally.refused, reported_.refused);
    report(state_.unknown, tally.unknown, reported_.unknown);
    reported_ = tally;
}

// At most once a second.
void Pipeline::log(const char* what, std::string_view text) noexcept {
    if (isFirstOfSecond(logged_)) {
        const LogText reason(text);
        const ngx_str_t why = ngxString(reason.view());
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "sse: bus \"%V\": %s: %V", &config_.zone->name, what,
                      &why);
    }
}

void Pipeline::logLost(const char* what, std::string_view why) noexcept {
    if (step_ == Step::Ready) {
        pace_.reset();
    }
    if (pace_.isTime()) {
        log(what, why);
    }
}

} // namespace sse
