#include "reader.hpp"

#include "trace.hpp"
#include "world.hpp"

namespace sse::sim {

Reader::Reader(World& world, std::shared_ptr<Zone> zone, Subscription subscription)
    : world_(world), zone_(std::move(zone)), subscription_(std::move(subscription)),
      cursor_(subscription_.cursor), lag_(world.random.chance(50) ? 0 : world.random.below(90)) {}

void Reader::step() {
    switch (state_) {
    case State::New:
        takeStock();
        break;
    case State::Seeking:
        seek();
        break;
    case State::Replaying:
        replay();
        break;
    case State::Live:
        follow();
        break;
    case State::Done:
        break;
    }
}

// --- Catching up ---

void Reader::takeStock() {
    replay_.reset();
    channels_.resize(subscription_.channels.size());
    {
        const Lock lock(world_, *zone_);
        for (size_t i = 0; i < channels_.size(); ++i) {
            const uint32_t channel = subscription_.channels[i];
            channels_[i] = {.name = world_.name(channel), .hash = world_.hash(channel), .state = {}};
            channels_[i].state = subscription_.entries.empty()
                                     ? zone_->log().findChannel(channels_[i].hash)
                                     : zone_->log().channelAt(subscription_.entries[i]);
        }
        lastId_ = zone_->log().lastId();
        const Quiet quiet(scheduler);
        noteStock();
        replay_.emplace(zone_->log(), channels_, cursor_, lastId_, subscription_.history);
    }
    state_ = State::Seeking;
}

// With the lock held, so that the truth is about the same moment.
void Reader::noteStock() {
    zone_->observe();
    life_ = zone_->life;
    const Life& life = *life_;
    breaks_ = zone_->breaks();
    base_ = zone_->isUnknown(cursor_, lastId_) ? Replay::kBeginning : cursor_;
    last_ = base_;
    isBroken_ = breaks_ != 0 && base_ < life.breaks[breaks_ - 1].id;
    stock_ = zone_->published();
    stockTail_ = zone_->tail();
    skipped_ = 0;
    areGone_ = false;
    accounts_.assign(channels_.size(), {});
    assert_true(lastId_ == zone_->lastId());
    for (size_t i = 0; i < channels_.size(); ++i) {
        accounts_[i].next = life.after(base_);
        accounts_[i].firstKept = firstKept(subscription_.channels[i]);
        checkEnd(channels_[i], subscription_.channels[i]);
    }
    trace.note("%lu replays from %lu of %lu", scheduler.pid(), life.after(base_), stock_);
}

// As if nothing were ever evicted.
uint64_t Reader::firstKept(uint32_t channel) const {
    uint64_t first = stock_;
    uint64_t count = 0;
    for (uint64_t number = stock_; number-- > life_->first;) {
        const Event& event = life_->at(number);
        if (event.channel != channel) {
            continue;
        }
        if (event.time < subscription_.history.since || count == subscription_.history.count ||
            zone_->isDropped(number)) {
            break;
        }
        first = number;
        count += event.end ? 0 : 1;
    }
    return first;
}

// What the index knows of the channel.
void Reader::checkEnd(const ReplayChannel& known, uint32_t channel) const {
    const Life& life = *life_;
    uint64_t newest = stock_;
    EventId newestId = life.birth;
    for (uint64_t number = life.first; number < stock_; ++number) {
        if (life.at(number).channel == channel) {
            newest = number;
            newestId = life.at(number).end ? newestId : life.at(number).id;
        }
    }
    assert_true(known.state.newestId >= newestId);
    if (zone_->isExact(channel)) {
        const bool isThere = newest < stock_ && zone_->isRetained(newest);
        assert_true((known.state.newest != kNoOffset) == isThere);
        assert_true(known.state.newestId == newestId);
        const bool hasEnded = isThere && (life.at(newest).end || life.at(newest).last);
        assert_true(zone_->log().hasEnded(known.state, known.name) == hasEnded);
    }
}

void Reader::seek() {
    const ReadStatus status = replay_->seek(4);
    const Quiet quiet(scheduler);
    if (status == ReadStatus::Lapped) {
        onLapped(stockTail_);
    } else if (status == ReadStatus::Ok) {
        begin();
    }
}

// The seek has found the start. A reader whose cursor the log has not issued is always told so; a reader that
// has missed nothing is never told of a gap, which is checked at the end.
void Reader::begin() {
    const bool isUnknown = cursor_ != base_;
    assert_true((replay_->gap() == Gap::Unknown) == isUnknown);
    if (cursor_ == Replay::kBeginning) {
        assert_true((replay_->gap() == Gap::Evicted) == life_->beganWithLoss && replay_->gap() != Gap::Lost);
    }
    ++figures.replays;
    figures.gaps += replay_->gap() != Gap::None ? 1 : 0;
    isTold_ = replay_->gap() != Gap::None || cursor_ == Replay::kBeginning;
    evicted_ = zone_->evicted();
    const EventId start = replay_->start();
    assert_true(start >= base_ && start <= lastId_ && isOfLineage(start, life_->lineage));
    // All that is left comes after the break.
    if (isBroken_ && start >= life_->breaks[breaks_ - 1].id) {
        assert_true(replay_->gap() == Gap::Lost || base_ == Replay::kBeginning);
        isBroken_ = false;
    } else {
        assert_true(replay_->gap() != Gap::Lost);
    }
    cursor_ = start;
    for (size_t i = 0; i < channels_.size(); ++i) {
        pass(i, life_->after(start));
    }
    state_ = State::Replaying;
}

// All that was left before the break has been given.
void Reader::passBreak() {
    assert_true(isBroken_ && replay_->gap() == Gap::Lost);
    assert_true(replay_->start() >= life_->breaks[breaks_ - 1].id && replay_->start() <= lastId_);
    isBroken_ = false;
    isTold_ = true;
    ++figures.gaps;
    for (size_t i = 0; i < channels_.size(); ++i) {
        pass(i, life_->after(replay_->start()));
    }
    cursor_ = replay_->start();
}

void Reader::replay() {
    const ReadStatus status = replay_->next(UINT64_MAX, event_);
    if (status == ReadStatus::End) {
        const Quiet quiet(scheduler);
        replay_->passBreak(UINT64_MAX) ? passBreak() : finish();
    } else if (status == ReadStatus::Lapped || !take(event_.offset, event_.header)) {
        const Quiet quiet(scheduler);
        onLapped(stockTail_);
    }
}

// Every event that existed when stock was taken is accounted for.
void Reader::finish() {
    bool isExact = true;
    assert_true(!isBroken_);
    for (size_t i = 0; i < channels_.size(); ++i) {
        pass(i, stock_);
        accounts_[i].isComplete = true;
        isExact = isExact && zone_->isExact(subscription_.channels[i]);
    }
    if (replay_->missed()) {
        assert_int_equal(*replay_->missed(), skipped_);
    } else if (isExact && replay_->gap() == Gap::Evicted && !life_->beganWithLoss && base_ >= life_->birth) {
        assert_true(skipped_ != 0 && areGone_);
    }
    trace.note("%lu has caught up, at %lu, with %lu missing", scheduler.pid(), stock_, skipped_);
    position_ = replay_->horizon();
    state_ = subscription_.entries.empty() ? State::Done : State::Live;
}

// A record that it needed at that offset, or after it, is overwritten. The next replay begins where this one
// has stopped.
void Reader::onLapped(uint64_t offset) {
    assert_true(zone_->tail() > offset);
    if (state_ != State::Seeking) {
        for (size_t i = 0; i < channels_.size(); ++i) {
            pass(i, life_->after(cursor_));
        }
    }
    ++figures.laps;
    trace.note("%lu is lapped", scheduler.pid());
    state_ = State::New;
}

// It forgets what it has left for later, and reads the log from its cursor.
void Reader::onBreak() {
    trace.note("%lu sees a break", scheduler.pid());
    for (size_t i = 0; i < channels_.size(); ++i) {
        pass(i, life_->after(cursor_));
    }
    state_ = State::New;
}

// --- Following ---

// Like a feed of src/fanout: it looks at each record, and reads the records that it does not take at once
// later, along the links of its channels.
void Reader::follow() {
    if (isBehind() && !world_.random.chance(lag_)) {
        readOn();
    } else {
        look();
    }
}

bool Reader::isBehind() const {
    return std::any_of(accounts_.begin(), accounts_.end(),
                       [](const Account& account) { return account.unread != kNoOffset; });
}

void Reader::look() {
    const uint64_t now = zone_->published();
    RecordHeader record;
    const ReadStatus status = zone_->log().readHeader(position_, record);
    if (status == ReadStatus::End) {
        const Quiet quiet(scheduler);
        for (size_t i = 0; !isBehind() && i < channels_.size(); ++i) {
            pass(i, now);
        }
        return;
    }
    if (status == ReadStatus::Ok && record.kind == RecordKind::Break) {
        const Quiet quiet(scheduler);
        onBreak();
        return;
    }
    bool isWhole = status == ReadStatus::Ok;
    for (size_t i = 0; isWhole && record.kind != RecordKind::Pad && i < channels_.size(); ++i) {
        if (record.entry != subscription_.entries[i] || record.hash != channels_[i].hash) {
            continue;
        }
        const Match match = zone_->log().match(position_, record, channels_[i].name);
        isWhole = match != Match::Lapped;
        if (match == Match::Yes && (isBehind() || world_.random.chance(lag_))) {
            accounts_[i].unread = std::min(accounts_[i].unread, position_);
        } else if (match == Match::Yes) {
            isWhole = take(position_, record);
        }
    }
    if (isWhole) {
        position_ += record.length;
    } else {
        const Quiet quiet(scheduler);
        onLapped(position_);
    }
}

// Reads the first record that it has left, and finds the one of that channel that follows.
void Reader::readOn() {
    const auto first =
        std::min_element(accounts_.begin(), accounts_.end(),
                         [](const Account& a, const Account& b) { return a.unread < b.unread; });
    const size_t i = static_cast<size_t>(first - accounts_.begin());
    const uint64_t offset = first->unread;
    RecordHeader record;
    Match match = Match::Lapped;
    if (zone_->log().readHeader(offset, record) == ReadStatus::Ok) {
        match = zone_->log().match(offset, record, channels_[i].name);
    }
    if (match == Match::Lapped || (match == Match::Yes && !take(offset, record))) {
        const Quiet quiet(scheduler);
        onLapped(offset);
        return;
    }
    accounts_[i].unread = record.next > offset && record.next < position_ ? record.next : kNoOffset;
}

// --- What it is given ---

// Copies the payload. false: it was overwritten meanwhile.
bool Reader::take(uint64_t offset, const RecordHeader& record) {
    payload_.resize(record.payloadLength);
    if (!zone_->log().readPayload(offset, record.nameLength, record.payloadLength, payload_.data())) {
        const Quiet quiet(scheduler);
        assert_true(zone_->tail() > offset);
        return false;
    }
    const Quiet quiet(scheduler);
    given(record);
    return true;
}

void Reader::given(const RecordHeader& record) {
    const Life& life = *life_;
    assert_true(record.number >= life.first && record.number < life.end());
    const Event& right = life.at(record.number);
    // It has passed no break without noticing.
    assert_true(breaks_ == life.breaks.size() || record.number < life.breaks[breaks_].number);
    assert_true(!isBroken_ || record.number < life.breaks[breaks_ - 1].number);
    assert_true(record.id == right.id && record.time == right.time);
    assert_true(payload_ == right.payload);
    assert_true((record.kind == RecordKind::End) == right.end);
    assert_true(endsChannel(record) == (right.end || right.last));
    assert_true(record.id > last_);
    last_ = record.id;
    const auto own = std::find(subscription_.channels.begin(), subscription_.channels.end(), right.channel);
    assert_true(own != subscription_.channels.end());
    const size_t i = static_cast<size_t>(own - subscription_.channels.begin());
    assert_true(record.number >= accounts_[i].firstKept);
    if (right.end) {
        return; // may be received or not; before the start
    }
    assert_true(record.id > cursor_);
    pass(i, record.number);
    accounts_[i].next = record.number + 1;
    accounts_[i].isComplete = true;
    cursor_ = record.id;
    subscription_.history = {};
}

// The reader will not receive the events of a channel before that one. They are evicted, or beyond the
// history, or the index has forgotten the channel.
void Reader::pass(size_t i, uint64_t until) {
    Account& account = accounts_[i];
    const uint32_t channel = subscription_.channels[i];
    for (; account.next < until; ++account.next) {
        const Event& event = life_->at(account.next);
        if (event.channel != channel || event.end) {
            continue;
        }
        ++skipped_;
        areGone_ = areGone_ || !zone_->isRetained(account.next);
        assert_true(isTold_ && !account.isComplete);
        const bool isForgotten = !zone_->isExact(channel) && account.next < subscription_.listensFrom;
        assert_true(isForgotten || account.next < account.firstKept || account.next < evicted_);
    }
}

} // namespace sse::sim
