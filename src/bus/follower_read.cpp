// Reading: first the entries that are there, then those that come.
#include <algorithm>
#include <utility>

#include "bus/decimal.hpp"
#include "bus/follower.hpp"
#include "sse/log_text.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// How long XREAD waits for an entry, in milliseconds; an empty reply long before that does not come from
// Redis.
constexpr std::string_view kBlock = "5000";
constexpr ngx_msec_t kEarly = 4500;
constexpr ngx_msec_t kEarlyPause = 100;

// How often the stream is looked at. The reply contains its first and its last entry. If these are large, the
// looks are less frequent: this many bytes of them may come in that time.
constexpr ngx_msec_t kLook = 1000;
constexpr uint64_t kMostOfLooks = 16 * 1024 * 1024;

// How many bytes a reply should have, as far as that can be foreseen.
constexpr size_t kGoodReply = 4 * 1024 * 1024;

// How many bytes the reader needs for an entry: many short fields are larger there than their texts.
size_t bytesOf(const Reply& entry) noexcept {
    size_t bytes = sizeof(Reply);
    const Reply* fields = entry.at(1);
    for (const Reply* text = fields == nullptr ? nullptr : fields->first; text != nullptr;
         text = text->next) {
        bytes += sizeof(Reply) + text->text.size();
    }
    return bytes;
}

} // namespace

void Follower::beginReading(StreamId from) noexcept {
    readFrom_ = from;
    continuity_.begin(from);
    isLooking_ = false;
    lookedAt_ = 0;
    lookPause_ = kLook;
    setConnected(true);
    pulse_.start(connection_.address());
    state_->address = static_cast<uint32_t>(connection_.address());
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "sse: bus \"%V\": follows \"%V\" at %V",
                  &bus_->zone->name, &bus_->stream, &bus_->addresses[connection_.address()].text);
    goOn();
}

// --- What is asked for next ---

// The ids that the stream issues must be newer than those of the log, and newer than what the stream has
// lost. A log that was not on the stream before is not filled until then, so a pipeline that comes first sees
// that nothing is lost.
void Follower::goOn() noexcept {
    const StreamId wanted = BusState::load(state_->wantedBreak);
    const StreamId least = std::max(wanted, toStreamId(bus_->zone->log.lastId()));
    if (newest_ < least) {
        mark(StreamIdText({least.milliseconds + 1, 0}).view(), wanted != StreamId{});
        return;
    }
    if (isCaughtUp()) {
        noteCaughtUp();
    }
    if (wanted != StreamId{} && isCaughtUp()) {
        mark("*", true);
    } else {
        read();
    }
}

// Adds an entry that is not an event: a break for all machines, or only a newer id.
void Follower::mark(std::string_view id, bool isBreak) noexcept {
    phase_ = Phase::Marking;
    heardAt_ = ngx_current_msec;
    connection_.add({"XADD", toView(bus_->stream), id, isBreak ? "break" : "raise", "1"});
    connection_.flush();
}

// Another machine may have been first. A server that takes no writes can still be read.
void Follower::onMarked(const Reply& reply) noexcept {
    const std::optional<StreamId> id = parseStreamId(reply.text);
    if (reply.is(Reply::Type::Error) && reply.text.find("equal or smaller") != std::string_view::npos) {
        sync();
    } else if (refusesWrites(reply)) {
        noteNotMarked(reply.text);
        read();
    } else if (!id) {
        reconnect(reply.text);
    } else {
        markPace_.reset();
        newest_ = *id;
        target_ = *id;
        read();
    }
}

// Marking is tried again after each reply with entries.
void Follower::noteNotMarked(std::string_view why) noexcept {
    if (!markPace_.isTime()) {
        return;
    }
    const LogText reason(why);
    const ngx_str_t text = ngxString(reason.view());
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sse: bus \"%V\": the stream cannot be marked: %V",
                  &bus_->zone->name, &text);
}

size_t Follower::countToAsk() const noexcept {
    return readFrom_ < large_ ? 1 : count_;
}

// The lineage is asked for at the same time, and its reply comes after the entries. If it is still the
// lineage of our log, the entries are of our life. Otherwise entries that come after a flush of the stream
// would be taken for ours.
void Follower::read() noexcept {
    phase_ = Phase::Reading;
    look();
    askedAt_ = heardAt_ = ngx_current_msec;
    connection_.add({"XREAD", "COUNT", Decimal(countToAsk()).view(), "BLOCK", kBlock, "STREAMS",
                     toView(bus_->stream), toView(bus_->controlKey), StreamIdText(readFrom_).view(),
                     StreamIdText(control_).view()});
    connection_.add({"GET", toView(bus_->lineageKey)});
    connection_.flush();
}

// Now and then, before entries are asked for.
void Follower::look() noexcept {
    if (lookedAt_ == 0 || ngx_current_msec - lookedAt_ >= lookPause_) {
        lookedAt_ = ngx_current_msec;
        lookedFrom_ = connection_.received();
        isLooking_ = true;
        connection_.add({"XINFO", "STREAM", toView(bus_->stream)});
    }
}

// --- What comes ---

// The answers to what read() has sent, in turn.
bool Follower::onRead(const Reply& reply) noexcept {
    if (isLooking_) {
        onLook(reply);
        return true;
    }
    if (reply.is(Reply::Type::Error)) {
        reconnect(reply.text);
        return true;
    }
    if (read_ == nullptr) {
        read_ = &reply;
        connection_.keepReplies(true);
        return true;
    }
    if (parseLineage(reply.text) != state_->lineage.load()) {
        reconnect("the stream has been flushed or replaced");
        return true;
    }
    const bool isDone = onEntries(*std::exchange(read_, nullptr));
    if (isDone) {
        connection_.keepReplies(false);
    }
    return isDone;
}

void Follower::onLook(const Reply& reply) noexcept {
    isLooking_ = false;
    lookPause_ = kLook + kLook * (connection_.received() - lookedFrom_) / kMostOfLooks;
    StreamFacts facts;
    const bool isNoStream = saysNoStream(reply);
    if (isNoStream) {
        facts.added = 0;
    } else if (reply.is(Reply::Type::Error)) {
        return reconnect(reply.text);
    }
    if (isNoStream || readStreamInfo(reply, facts)) {
        continuity_.onLook(facts.last, facts.added);
        tellMissed({readFrom_.milliseconds, readFrom_.sequence + 1}); // goOn() raises the stream to that
    }
}

// Entries that were trimmed or deleted before they were read. If there is no id for the gap before the next
// entry, or no lock, the gap is told before a later entry.
void Follower::tellMissed(StreamId upTo) noexcept {
    if (continuity_.hasMissed() && upTo > readFrom_ && log_.addGap(upTo) == BusLog::Outcome::Done) {
        continuity_.onTold();
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "sse: bus \"%V\": entries were trimmed or deleted before they were read",
                      &bus_->zone->name);
    }
}

bool Follower::onEntries(const Reply& reply) noexcept {
    if (reply.is(Reply::Type::Nil) || (reply.is(Reply::Type::Array) && reply.count == 0)) {
        onNothing();
        return true;
    }
    if (!reply.is(Reply::Type::Array)) {
        reconnect("a reply that is none to XREAD");
        return true;
    }
    const Reply* entries = nullptr;
    const StreamId controlBefore = control_;
    for (const Reply& stream : reply) {
        const Reply* name = stream.at(0);
        const Reply* list = stream.at(1);
        if (list != nullptr && name->text == toView(bus_->controlKey)) {
            handleControl(*list);
        } else if (list != nullptr && name->text == toView(bus_->stream)) {
            entries = list;
        }
    }
    if (phase_ != Phase::Reading) { // a kick may end anything
        return true;
    }
    if (entries != nullptr && entries->first != nullptr) {
        return takeEntries(*entries);
    }
    if (control_ == controlBefore) { // otherwise Redis would be asked again and again
        reconnect("a reply that is none to XREAD");
        return true;
    }
    target_.reset(); // it may have been trimmed
    continuity_.onNothing();
    tellMissed(continuity_.reached());
    goOn();
    return true;
}

// The stream has nothing after what we know. Either the time is up, or something between Redis and us has
// answered, which must not be asked again and again.
void Follower::onNothing() noexcept {
    target_.reset();
    noteCaughtUp();
    if (ngx_current_msec - askedAt_ < kEarly) {
        pause_.wait(kEarlyPause);
    } else {
        continuity_.onNothing();
        tellMissed(continuity_.reached());
        goOn();
    }
}

void Follower::handleControl(const Reply& entries) noexcept {
    for (const Reply& entry : entries) {
        const Reply* id = entry.at(0);
        const Reply* fields = entry.at(1);
        const std::optional<StreamId> known = id == nullptr ? std::nullopt : parseStreamId(id->text);
        if (!known || *known <= control_ || fields == nullptr) {
            continue;
        }
        control_ = *known;
        const Reply* name = fields->at(0);
        if (name != nullptr && name->text == "probe" && name->next != nullptr) {
            pulse_.onProbe(name->next->text);
        } else if (name != nullptr && onControl_ != nullptr) {
            onControl_(*bus_->zone, *fields, ageOf(*known));
        }
        // Not before: if this worker dies, its successor carries out the kick again.
        BusState::store(state_->control, *known);
    }
}

// By the clock of Redis.
ngx_msec_t Follower::ageOf(StreamId id) const noexcept {
    const uint64_t now = unixMilliseconds() + static_cast<uint64_t>(log_.clock());
    return now > id.milliseconds ? static_cast<ngx_msec_t>(now - id.milliseconds) : 0;
}

bool Follower::takeEntries(const Reply& entries) noexcept {
    std::optional<StreamId> first;
    std::optional<StreamId> id;
    for (const Reply& entry : entries) {
        const Reply* name = entry.at(0);
        id = name == nullptr ? std::nullopt : parseStreamId(name->text);
        if (!id || *id <= readFrom_) {
            reconnect(id ? "an entry that nobody has asked for" : "an entry without an id");
            return true;
        }
        first = first ? first : id;
        continuity_.onEntry(*id);
    }
    noteSize(entries, kMostCount);
    tellMissed(idBefore(*first));
    readFrom_ = *id;
    newest_ = std::max(newest_, *id);
    noteEntries();
    return beginSlices(entries.first);
}

// Entries come through, so no probe is needed.
void Follower::noteEntries() noexcept {
    state_->lastSeen = ngx_current_msec;
    pulse_.onEntries();
}

// A few large entries make the next reply small; the replies then grow slowly again.
void Follower::noteSize(const Reply& entries, size_t most) noexcept {
    size_t bytes = 0;
    for (const Reply& entry : entries) {
        bytes += bytesOf(entry);
    }
    const size_t count = std::max<size_t>(entries.count, 1);
    const size_t good = kGoodReply / std::max<size_t>(bytes / count, 1);
    count_ = std::clamp<size_t>(good, 1, std::min(most, count_ * 2));
}

void Follower::noteCaughtUp() noexcept {
    if (state_->isFilled.exchange(1) == 0) {
        Worker::self().wakeAll();
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "sse: bus \"%V\": the zone has caught up with the stream", &bus_->zone->name);
    }
}

// --- Slices ---

// The first slice runs at once, unless others wait for their turn. Returns whether all is done.
bool Follower::beginSlices(const Reply* first) noexcept {
    next_ = first;
    if (Worker::self().isBusy()) {
        Worker::self().schedule(slice_);
        return false;
    }
    return runSlice();
}

bool Follower::runSlice() noexcept {
    const BusLog::Outcome outcome =
        phase_ == Phase::Reading ? log_.append(next_) : log_.findKnown(next_, found_);
    if (!check(outcome)) {
        return false;
    }
    if (outcome == BusLog::Outcome::More) {
        Worker::self().schedule(slice_);
        return false;
    }
    next_ = nullptr;
    log_.release();
    phase_ == Phase::Reading ? goOn() : onPageLookedAt();
    return true;
}

void Follower::onSliceTurn() noexcept {
    if (runSlice()) {
        connection_.keepReplies(false);
        connection_.resume();
    }
}

} // namespace sse
