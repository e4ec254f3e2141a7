#include "bus/bus_log.hpp"

#include <algorithm>

#include "counters/counts.hpp"
#include "sse/encode.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// The most that is appended under one hold of the zone's lock.
constexpr size_t kSliceEntries = 64;
constexpr size_t kSliceBytes = 16 * 1024;
// Looking at a field or a value costs as much as copying this many bytes.
constexpr size_t kElementBytes = 8;

constexpr ngx_msec_t kLogTime = 1000;

EventId next(EventId last) noexcept {
    return {last.milliseconds, last.sequence + kLineages};
}

} // namespace

void BusLog::init(const BusConfig& bus, const MainConfig& main) noexcept {
    bus_ = &bus;
    main_ = &main;
    zone_ = bus.zone;
    state_ = bus.state;
    reader_.emplace(zone_->log.maxRecord());
}

LogFacts BusLog::facts() const noexcept {
    const uint64_t lineage = zone_->log.lineage();
    const EventId last = zone_->log.lastId();
    return {.isBound = state_->lineage.load() == lineage,
            .isEmpty = last.milliseconds == 0,
            .lineage = lineage,
            .last = toStreamId(last),
            .position = state_->position()};
}

std::optional<ZoneLock> BusLog::acquire(Outcome& outcome) const noexcept {
    std::optional<ZoneLock> lock = ZoneLock::acquire(*zone_);
    outcome = Outcome::Done;
    if (!lock) {
        outcome = Outcome::Locked;
    } else if (state_->follower.load() != ngx_pid || lock->log().isRetired()) {
        outcome = Outcome::Replaced;
        lock.reset();
    }
    return lock;
}

// --- The log's position ---

// The order of the stores matters: if this worker dies, the log is either not bound, or has been begun.
// Beginning it again does no harm.
BusLog::Outcome BusLog::begin(const SyncPlan& plan, uint64_t lineage) noexcept {
    Outcome outcome;
    {
        std::optional<ZoneLock> lock = acquire(outcome);
        if (!lock) {
            return outcome;
        }
        wasBound_ = state_->lineage.load() == lineage && !plan.beginsLife;
        if (!wasBound_) {
            state_->lineage = 0;
            state_->isFilled = 0;
            setPosition(plan.from);
            BusState::store(state_->wantedBreak, plan.breaks ? toStreamId(lock->log().lastId()) : StreamId{});
            BusState::store(state_->control, {});
        }
        if (plan.beginsLife) {
            if (!lock->log().beginLife(lineage)) {
                return Outcome::Replaced;
            }
            add(state_->lives);
            wakesAll_ = true;
        }
        state_->lineage = lineage;
        if (plan.gap) {
            appendBreak(lock->log(), *plan.gap);
            setPosition(plan.from);
        }
    }
    wake();
    return outcome;
}

BusLog::Outcome BusLog::addGap(StreamId id) noexcept {
    Outcome outcome;
    {
        std::optional<ZoneLock> lock = acquire(outcome);
        if (lock && toEventId(id, lock->log().lineage()) > lock->log().lastId()) {
            appendBreak(lock->log(), id);
        }
    }
    wake();
    return outcome;
}

BusLog::Outcome BusLog::goBack(StreamId id) noexcept {
    Outcome outcome;
    if (std::optional<ZoneLock> lock = acquire(outcome)) {
        const StreamId wanted = BusState::load(state_->wantedBreak);
        const StreamId last = toStreamId(lock->log().lastId());
        BusState::store(state_->wantedBreak, std::max({wanted, last, state_->position()}));
        setPosition(id);
    }
    return outcome;
}

BusLog::Outcome BusLog::skip(StreamId id) noexcept {
    Outcome outcome;
    if (std::optional<ZoneLock> lock = acquire(outcome); lock && id > state_->position()) {
        noteSkipped(id, "too large");
        setPosition(id);
    }
    return outcome;
}

void BusLog::setPosition(StreamId id) noexcept {
    state_->fingerprint = 0;
    state_->setPosition(id);
}

// The break follows everything in the log, which may have newer ids than `id` if a server has lost its newest
// entries.
void BusLog::appendBreak(LogWriter& log, StreamId id) noexcept {
    if (log.appendBreak(std::max(toEventId(id, log.lineage()), log.lastId())) == AppendStatus::Ok) {
        add(state_->breaks);
        wakesAll_ = true;
    }
}

// --- Entries ---

BusLog::Outcome BusLog::append(const Reply*& next) noexcept {
    Outcome outcome;
    {
        std::optional<ZoneLock> lock = acquire(outcome);
        const Reply* last = nullptr;
        sliceSize_ = 0;
        if (lock) {
            state_->fingerprint = 0; // until it matches the position again
        }
        for (size_t i = 0; outcome == Outcome::Done && next != nullptr; ++i) {
            if (i == kSliceEntries || sliceSize_ >= kSliceBytes) {
                outcome = Outcome::More;
                break;
            }
            outcome = handle(lock->log(), *next);
            if (outcome == Outcome::Done) {
                last = next;
                next = next->next;
            }
        }
        if (last != nullptr) {
            state_->fingerprint = fingerprintOf(*last);
        }
    }
    wake();
    return outcome;
}

BusLog::Outcome BusLog::handle(LogWriter& log, const Reply& entry) noexcept {
    const Reply* name = entry.at(0);
    const Reply* fields = entry.at(1);
    const std::optional<StreamId> id = name == nullptr ? std::nullopt : parseStreamId(name->text);
    if (!id || *id <= state_->position()) {
        return Outcome::Done;
    }
    Outcome outcome = Outcome::Done;
    if (!fitsEventId(*id) || fields == nullptr) {
        noteSkipped(*id, "its id or its fields cannot be read");
    } else {
        outcome = handle(log, *id, *fields);
    }
    if (outcome == Outcome::Done) {
        state_->setPosition(*id);
    }
    return outcome;
}

BusLog::Outcome BusLog::handle(LogWriter& log, StreamId id, const Reply& fields) noexcept {
    switch (read(fields)) {
    case EntryKind::Event:
        return appendEvent(log, id);
    case EntryKind::End:
        fields_.clear();
        return hasEnded(log) ? Outcome::Done : append(log, id, true);
    case EntryKind::Break:
        appendBreak(log, id);
        if (id > BusState::load(state_->wantedBreak)) {
            BusState::store(state_->wantedBreak, {});
        }
        return Outcome::Done;
    case EntryKind::Raise:
        return Outcome::Done;
    case EntryKind::NoMemory:
        return Outcome::NoMemory;
    case EntryKind::Bad:
        break;
    }
    noteSkipped(id, reader_->fault());
    return Outcome::Done;
}

EntryKind BusLog::read(const Reply& fields) noexcept {
    sliceSize_ += fields.count * kElementBytes;
    return reader_->read(fields);
}

// An entry with a token comes from a machine, which has already checked the type against its own
// configuration. Whether the channel has ended is decided here, in the order of the stream, so all machines
// decide the same.
BusLog::Outcome BusLog::appendEvent(LogWriter& log, StreamId id) noexcept {
    const Envelope& envelope = reader_->envelope();
    if (reader_->token().empty() && isReserved(envelope.event.type)) {
        noteSkipped(id, "its event type is reserved");
        return Outcome::Done;
    }
    if (!log.fits(reader_->channel(), envelope.event.publisherId.size(), encodedSize(envelope.event))) {
        noteSkipped(id, "too large for the zone");
        return Outcome::Done;
    }
    if (!reader_->reopens() && hasEnded(log)) {
        return Outcome::Done;
    }
    if (!render(envelope.event)) {
        return Outcome::NoMemory;
    }
    zone_->counters->repairs.add(reader_->replaced());
    return append(log, id, envelope.ends);
}

// Whether the channel of the entry has ended.
bool BusLog::hasEnded(LogWriter& log) const noexcept {
    const std::string_view channel = reader_->channel();
    return log.hasEnded(log.findChannel(log.hash(channel)), channel);
}

bool BusLog::render(const Event& event) noexcept {
    fields_.clear();
    char* place = fields_.extend(encodedSize(event));
    if (place == nullptr) {
        return false;
    }
    encodeFields(event, place);
    sliceSize_ += fields_.size();
    return true;
}

// An event whose id is not newer than those of the log gets the next id: a server that has lost its newest
// entries issues ids that are older than the lost ones.
BusLog::Outcome BusLog::append(LogWriter& log, StreamId id, bool isEnd) noexcept {
    const std::string_view channel = reader_->channel();
    const uint64_t hash = log.hash(channel);
    EventId eventId = toEventId(id, log.lineage());
    if (eventId <= log.lastId()) {
        if (log.holds(channel, hash, eventId, fields_.view())) {
            return Outcome::Done;
        }
        eventId = next(log.lastId());
    }
    const Appended appended = log.append({.channel = channel,
                                          .hash = hash,
                                          .publisherId = reader_->envelope().event.publisherId,
                                          .end = isEnd,
                                          .fields = fields_.view(),
                                          .id = eventId},
                                         id.milliseconds - static_cast<uint64_t>(clock_));
    switch (appended.status) {
    case AppendStatus::Ok:
        break;
    case AppendStatus::Retired:
        return Outcome::Replaced;
    default:
        noteSkipped(id, "the zone does not take it");
        return Outcome::Done;
    }
    add(state_->entries);
    zone_->counters->publishedBytes.add(appended.bytes);
    for (size_t i = 0; i < listeners_.size(); ++i) {
        listeners_[i] |= appended.listeners[i];
    }
    return Outcome::Done;
}

// --- What the log and the stream both have ---

BusLog::Outcome BusLog::findKnown(const Reply*& next, std::optional<StreamId>& found) noexcept {
    Outcome outcome;
    std::optional<ZoneLock> lock = acquire(outcome);
    sliceSize_ = 0;
    for (size_t i = 0; outcome == Outcome::Done && next != nullptr && !found; ++i, next = next->next) {
        if (i == kSliceEntries || sliceSize_ >= kSliceBytes) {
            return Outcome::More;
        }
        const Reply* name = next->at(0);
        const Reply* fields = next->at(1);
        const std::optional<StreamId> id = name == nullptr ? std::nullopt : parseStreamId(name->text);
        if (id && fitsEventId(*id) && fields != nullptr && isKnown(lock->log(), *id, *fields)) {
            found = id;
        }
    }
    return outcome;
}

// An entry that is older than the oldest event has been in the log and has been evicted. That does not hold
// if nothing has ever been evicted and the log was not on the stream before.
bool BusLog::isKnown(LogWriter& log, StreamId id, const Reply& fields) noexcept {
    const EventId eventId = toEventId(id, log.lineage());
    const LogStats stats = log.stats();
    if (stats.firstId != EventId{} && eventId < stats.firstId && (wasBound_ || stats.evicted != 0)) {
        return true;
    }
    switch (read(fields)) {
    case EntryKind::Event: {
        const std::string_view channel = reader_->channel();
        return render(reader_->envelope().event) &&
               log.holds(channel, log.hash(channel), eventId, fields_.view());
    }
    case EntryKind::Break:
        return log.newestBreak().id >= eventId;
    default:
        return false;
    }
}

// --- What others are told ---

bool BusLog::isReserved(std::string_view type) const noexcept {
    const std::span<const ngx_str_t> reserved(static_cast<const ngx_str_t*>(main_->reservedTypes.elts),
                                              main_->reservedTypes.nelts);
    return !type.empty() && std::ranges::any_of(reserved, [type](const ngx_str_t& name) noexcept {
        return toView(name) == type;
    });
}

void BusLog::noteSkipped(StreamId id, std::string_view why) noexcept {
    add(state_->skipped);
    ++unlogged_;
    if (loggedAt_ != 0 && ngx_current_msec - loggedAt_ < kLogTime) {
        return;
    }
    const StreamIdText text(id);
    ngx_str_t name = ngxString(text.view());
    ngx_str_t reason = ngxString(why);
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "sse: bus \"%V\": entry %V is skipped: %V (%uL since the last)", &zone_->name, &name,
                  &reason, unlogged_);
    loggedAt_ = ngx_current_msec;
    unlogged_ = 0;
}

// Call this without the lock.
void BusLog::wake() noexcept {
    if (wakesAll_) {
        Worker::self().wakeAll();
    } else if (listeners_ != ListenerSet{}) {
        Worker::self().wake(listeners_);
    }
    wakesAll_ = false;
    listeners_ = {};
}

void BusLog::release() noexcept {
    if (fields_.held() > kSliceBytes) {
        fields_.reset();
        reader_->release();
    }
}

} // namespace sse
