#include "zone.hpp"

#include <utility>

#include "trace.hpp"
#include "world.hpp"

namespace sse::sim {

Zone::Zone(const World& world, std::shared_ptr<Life> owner, const Shape& shape)
    : life(std::move(owner)), listeners(world.groups), world_(world),
      memory_(shape.entries, shape.capacity, shape.birth.milliseconds, shape.birth.sequence),
      exact_(world.channels, world.groups == world.channels && world.channels <= shape.entries) {
    scheduler.share(memory_.memory());
}

Zone::~Zone() {
    scheduler.unshare(memory_.memory());
}

uint64_t Zone::evicted() const {
    return std::max(memory_.log.stats().evicted, life->first);
}

EventId Zone::lastId() const {
    return life->lastId(published_, breaks_);
}

bool Zone::isUnknown(EventId cursor, EventId lastId) const {
    return cursor > lastId || (cursor.sequence != 0 && cursor.sequence % kLineages != life->lineage);
}

uint64_t Zone::lengthOf(const Event& event) const {
    return recordLength(world_.name(event.channel).size(), event.payload.size());
}

bool Zone::fits(const std::vector<Event>& events) const {
    uint64_t length = 0;
    for (const Event& event : events) {
        length += lengthOf(event);
    }
    return length <= memory_.log.maxRecord();
}

void Zone::announce(std::vector<Event> events) {
    announced_ = std::move(events);
    hasHappened_ = false;
}

// A life has begun when its lineage is noted. Returns whether the log is still making room for it.
bool Zone::observeLife() {
    const uint64_t next = header().nextLineage;
    if (announcedLife_ && (next == announcedLife_->lineage || header().lineage == announcedLife_->lineage)) {
        lifeBefore = std::exchange(life, std::exchange(announcedLife_, nullptr));
        firstNumber_ = life->first;
        breaks_ = 0;
        hasJumped_ = true;
        trace.note("a life begins in the log, with event %lu", life->first);
    }
    assert_true(next == 0 || next == life->lineage);
    if (next == 0 && hasJumped_) {
        assert_true(memory_.log.tail() > head_ && header().lineage == life->lineage);
        head_ = tail_ = memory_.log.tail();
        hasJumped_ = false;
    }
    return next != 0;
}

// The ring holds the events in order; the newest ones are exactly those that were announced.
void Zone::observe() {
    const Quiet quiet(scheduler);
    if (observeLife()) {
        return;
    }
    const uint64_t head = memory_.log.head();
    const uint64_t tail = memory_.log.tail();
    assert_true(head >= head_ && tail >= tail_ && tail <= head);
    tail_ = tail;
    if (head == head_) {
        return;
    }
    assert_true(!hasHappened_ && fits(announced_));
    auto event = announced_.begin();
    for (RecordHeader record; head_ != head; head_ += record.length) {
        assert_true(memory_.log.readHeader(head_, record) == ReadStatus::Ok);
        observeRecord(record, event);
    }
    assert_true(event == announced_.end());
    hasHappened_ = true;
    checkRoom();
}

void Zone::observeRecord(const RecordHeader& record, std::vector<Event>::iterator& event) {
    if (record.kind == RecordKind::Pad) {
        return;
    }
    assert_true(record.number == published_);
    if (record.kind == RecordKind::Break) {
        assert_true(announcedBreak_ && record.id == *announcedBreak_);
        announcedBreak_.reset();
        life->breaks.push_back({record.id, published_});
        ++breaks_;
        return;
    }
    assert_true(event != announced_.end() && record.id == event->id);
    ++published_;
    life->events.push_back(*event++);
}

void Zone::settleAll() {
    const Quiet quiet(scheduler);
    observe();
    assert_true(header().retired != 0 || (!announcedBreak_ && !announcedLife_));
    announcedBreak_.reset();
    announcedLife_.reset();
}

void Zone::settle(const Appended& appended) {
    const Quiet quiet(scheduler);
    observe();
    const bool isRetired = header().retired != 0;
    const AppendStatus right = isRetired          ? AppendStatus::Retired
                               : fits(announced_) ? AppendStatus::Ok
                                                  : AppendStatus::TooLarge;
    assert_true(appended.status == right);
    assert_true(hasHappened_ == (right == AppendStatus::Ok));
    if (hasHappened_) {
        const Event& last = announced_.back();
        assert_true(appended.id == last.id);
        listeners.check(world_.group(last.channel), appended.listeners, appended.subscribers);
    }
    announced_.clear();
}

// Nothing is evicted as long as there is room.
void Zone::checkRoom() const {
    const uint64_t slack = 3 * memory_.log.maxRecord();
    const uint64_t used = memory_.header().head - memory_.header().tail;
    assert_true(evicted() == firstNumber_ || used + slack >= memory_.log.capacity());
}

void Zone::check() {
    observe();
    announced_.clear();
    announcedBreak_.reset();
    announcedLife_.reset();
    memory_.checkAttaches();
    checkZone(memory_, dropped_.lower_bound(evicted()) != dropped_.end());
    assert_true(memory_.log.lastId() == lastId());
    assert_int_equal(memory_.log.stats().published, published_);
    assert_true(header().forgottenChannels == 0 || !exact_[0]);
    checkEvents();
    checkListeners();
}

void Zone::checkEvents() const {
    uint64_t number = evicted();
    for (const LoggedEvent& event : walk(memory_.log)) {
        for (; isDropped(number); ++number) {
        }
        assert_true(event.header.number == number && number < published_);
        const Event& right = life->at(number);
        assert_true(event.header.id == right.id && event.header.time == right.time);
        assert_true((event.header.kind == RecordKind::End) == right.end);
        assert_true(endsChannel(event.header) == (right.end || right.last));
        assert_true(nameOf(memory_.log, event.offset, event.header) == world_.name(right.channel));
        assert_true(payloadOf(memory_.log, event.offset, event.header) == right.payload);
        ++number;
    }
    for (; isDropped(number); ++number) {
    }
    assert_int_equal(number, published_);
}

void Zone::checkListeners() {
    for (uint32_t channel = 0; channel < world_.groups; ++channel) {
        const ChannelState state = log().findChannel(world_.hash(channel));
        const ListenerSet set = state.entry != kNoEntry ? entry(state.entry).listeners : ListenerSet{};
        listeners.check(world_.group(channel), set, state.subscribers);
    }
}

void Zone::inherit(const Zone& old) {
    head_ = memory_.log.head();
    tail_ = memory_.log.tail();
    life = old.life;
    published_ = old.published_;
    breaks_ = old.breaks_;
    dropped_ = old.dropped_;
    std::vector<bool> isKnown(exact_.size());
    for (uint64_t number = life->first; number < life->end(); ++number) {
        const Event& event = life->at(number);
        isKnown[event.channel] = old.isRetained(number); // its newest event
        if (lengthOf(event) > memory_.log.maxRecord()) {
            dropped_.insert(number);
        }
    }
    for (size_t channel = 0; channel < exact_.size(); ++channel) {
        exact_[channel] = exact_[channel] && old.exact_[channel] && isKnown[channel];
    }
    uint64_t oldest = old.evicted();
    for (; isDropped(oldest); ++oldest) {
    }
    firstNumber_ = std::min(oldest, evicted()); // the old one may have gone on after it was copied
    checkRoom();
}

Lock::Lock(World& world, Zone& zone) : zone_(zone) {
    while (zone.holder != 0 && scheduler.isAlive(zone.holder)) {
        scheduler.pause();
    }
    const bool isSeized = zone.holder != 0;
    zone.holder = scheduler.pid();
    if (scheduler.running() != nullptr) {
        ++scheduler.running()->writing;
    }
    if (isSeized || world.random.chance(3)) {
        trace.note(isSeized ? "%lu recovers" : "%lu looks at all", scheduler.pid());
        zone.log().recover();
        const Quiet quiet(scheduler);
        zone.check();
    }
}

Lock::~Lock() {
    if (scheduler.running() != nullptr) {
        --scheduler.running()->writing;
    }
    zone_.holder = 0;
}

} // namespace sse::sim
