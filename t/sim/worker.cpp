#include "worker.hpp"

#include "trace.hpp"
#include "world.hpp"

namespace sse::sim {

namespace {

constexpr uint64_t kMostTogether = 3; // events that it appends together
constexpr size_t kMostReaders = 4;

} // namespace

Worker::Worker(World& world, uint32_t slot)
    : world_(world), zone_(world.zone), slot_(slot), census_(zone_->log().census()) {}

void Worker::live() {
    for (;;) {
        if (zone_ != world_.zone && world_.random.chance(20)) {
            moveOn();
        }
        act();
        scheduler.pause();
    }
}

void Worker::act() {
    const uint64_t what = world_.random.below(100);
    if (what < 1) {
        world_.random.chance(20) ? beginLife() : breakOff();
    } else if (what < 40) {
        publish();
    } else if (what < 52) {
        subscribe();
    } else if (what < 57) {
        unsubscribe();
    } else if (what < 63) {
        lookUp();
    } else if (what < 66) {
        lookAtFigures();
    } else if (what < 70) {
        cleanUp();
    } else {
        turn();
    }
}

std::vector<EventId> Worker::cursors() const {
    std::vector<EventId> cursors;
    for (const auto& reader : readers_) {
        cursors.push_back(reader->cursor());
    }
    return cursors;
}

// Another log has taken over: the subscribers come back to it.
void Worker::moveOn() {
    const Quiet quiet(scheduler);
    for (const EventId cursor : cursors()) {
        world_.cursors.push_back(cursor);
    }
    readers_.clear();
    zone_ = world_.zone;
    census_ = zone_->log().census();
    trace.note("%lu moves to the next log", pid);
}

// --- Publishing ---

void Worker::publish() {
    const uint32_t channel = static_cast<uint32_t>(world_.random.below(world_.channels));
    const uint64_t count = 1 + world_.random.below(3);
    const uint64_t most = world_.random.chance(30) ? kMostTogether : 1; // that come together
    event_.time = world_.now;
    const Lock lock(world_, *zone_);
    for (uint64_t rest = count; rest > 0;) {
        drawEvents(channel, std::min(rest, most));
        rest -= events_.size();
        zone_->announce(events_);
        const Appended appended = append();
        zone_->settle(appended);
        if (appended.status != AppendStatus::Ok) {
            return;
        }
        world_.published += events_.size();
    }
}

Appended Worker::append() {
    LogWriter& log = zone_->log();
    Draft draft = log.begin(event_.time);
    for (const Event& event : events_) {
        trace.note("%lu appends %lu bytes to %lu", pid, event.payload.size(), event.channel);
        const size_t idLine = event.payload.find('\n') + 1;
        const AppendStatus status = log.add(draft, {.channel = world_.name(event.channel),
                                                    .hash = world_.hash(event.channel),
                                                    .publisherId = event.publisherId,
                                                    .end = event.end || event.last,
                                                    .fields = std::string_view(event.payload).substr(idLine),
                                                    .id = event.isGiven ? event.id : EventId{}});
        if (status != AppendStatus::Ok) {
            log.abandon(draft);
            return {.status = status, .id = {}};
        }
    }
    return log.commit(draft);
}

void Worker::drawEvents(uint32_t channel, uint64_t count) {
    events_.clear();
    EventId last = zone_->life->lastId();
    event_.isGiven = world_.random.chance(30);
    for (uint64_t i = 0; i < count; ++i) {
        event_.id = last = event_.isGiven ? drawId(last) : zone_->life->nextId(event_.time, last);
        drawEvent(channel);
        events_.push_back(event_);
    }
}

// An id that another source could have given.
EventId Worker::drawId(EventId last) {
    last.sequence += (1 + world_.random.below(3)) * kLineages;
    return world_.random.chance(50) ? last : EventId{last.milliseconds + 1, zone_->life->lineage};
}

// A break has the newest id, or a newer one.
void Worker::breakOff() {
    const Lock lock(world_, *zone_);
    const EventId last = zone_->life->lastId();
    const EventId id = world_.random.chance(40) ? last : drawId(last);
    trace.note("%lu breaks off at event %lu", pid, zone_->published());
    zone_->announceBreak(id);
    const AppendStatus status = zone_->log().appendBreak(id);
    zone_->settleAll();
    assert_true(status == (zone_->header().retired != 0 ? AppendStatus::Retired : AppendStatus::Ok));
    ++figures.breaks;
}

// In the same memory.
void Worker::beginLife() {
    const Lock lock(world_, *zone_);
    life_ = world_.beginLife();
    life_->birth.milliseconds = 0;
    life_->first = zone_->published();
    trace.note("%lu begins another life", pid);
    zone_->announceLife(life_);
    const bool begun = zone_->log().beginLife(life_->lineage);
    zone_->settleAll();
    assert_true(begun == (zone_->header().retired == 0));
    ++figures.lives;
}

// No two events have the same bytes, and neither have two places in one event. The log accepts any bytes.
void Worker::drawEvent(uint32_t channel) {
    Random& random = world_.random;
    event_.channel = channel;
    event_.end = random.chance(6);
    event_.last = !event_.end && random.chance(6);
    event_.publisherId = event_.end || random.chance(50) ? "" : "own-" + std::to_string(random.below(8));
    const std::string tilde = event_.publisherId.empty() ? "" : "~";
    event_.payload = "id: " + idText(event_.id) + tilde + event_.publisherId + "\n";
    fields_.clear();
    if (!event_.end) {
        const size_t room = zone_->log().maxRecord() - sizeof(RecordHeader) - event_.payload.size() -
                            world_.name(channel).size() - 8;
        size_t length = random.below(world_.longest);
        length =
            random.chance(3) ? room - 8 + random.below(17) : length; // a little less or more than allowed
        fields_ = "data: ";
        for (Random bytes{world_.ticket()}; fields_.size() < length;) {
            const uint64_t word = bytes();
            fields_.append(reinterpret_cast<const char*>(&word), sizeof(word));
        }
        fields_.resize(std::max<size_t>(length, 16), 'x');
        fields_ += "\n\n";
    }
    event_.payload += fields_;
}

// --- Subscribers ---

// A client comes, with a cursor or without, and the worker listens to its channels.
void Worker::subscribe() {
    if (readers_.size() == kMostReaders) {
        return;
    }
    Random& random = world_.random;
    next_ = {};
    const uint32_t first = static_cast<uint32_t>(random.below(world_.channels));
    const uint32_t count = 1 + static_cast<uint32_t>(random.below(3));
    for (uint32_t i = 0; i < std::min(count, world_.channels); ++i) {
        next_.channels.push_back((first + i) % world_.channels);
    }
    const Lock lock(world_, *zone_);
    answerCensus();
    for (size_t i = 0; i < next_.channels.size(); ++i) {
        const ChannelState state = listen(next_.channels[i]);
        if (state.entry == kNoEntry) {
            while (i-- > 0) {
                unlisten(next_.channels[i], next_.entries[i]);
            }
            next_.entries.clear();
            break;
        }
        next_.entries.push_back(state.entry);
    }
    for (size_t i = 0; i < next_.entries.size(); ++i) {
        this->count(next_.channels[i], next_.entries[i], 1);
    }
    const Quiet quiet(scheduler);
    next_.listensFrom = next_.entries.empty() ? Reader::kNotListening : zone_->published();
    next_.cursor = world_.drawCursor();
    if (random.chance(30)) {
        next_.history.count = random.below(8);
    }
    if (random.chance(20)) {
        next_.history.since = world_.now - random.below(40);
    }
    readers_.push_back(std::make_unique<Reader>(world_, zone_, next_));
    trace.note("%lu has a subscriber of %lu channels from %lu on", pid, next_.channels.size(), first);
}

void Worker::unsubscribe() {
    const Lock lock(world_, *zone_);
    answerCensus();
    if (readers_.empty()) {
        return;
    }
    next_ = readers_.back()->subscription();
    world_.cursors.push_back(readers_.back()->cursor());
    readers_.pop_back();
    for (size_t i = 0; i < next_.entries.size(); ++i) {
        count(next_.channels[i], next_.entries[i], -1);
        unlisten(next_.channels[i], next_.entries[i]);
    }
    trace.note("%lu loses a subscriber", pid);
}

// Each reads a little, some more than others.
void Worker::turn() {
    for (size_t i = 0; i < readers_.size(); ++i) {
        for (uint64_t steps = world_.random.below(12); steps > 0; --steps) {
            readers_[i]->step();
        }
    }
    std::erase_if(readers_, [](const auto& reader) { return reader->isDone(); });
}

// --- Listening, with the lock held ---

ChannelState Worker::listen(uint32_t channel) {
    const size_t group = world_.group(channel);
    const Listeners::Group before = zone_->listeners.begin(group, slot_);
    const ChannelState state = zone_->log().listen(world_.hash(channel), listenerIdOf(slot_));
    if (state.entry != kNoEntry) {
        zone_->listeners.end(group, slot_, Listeners::Mark::Yes, before);
        return state;
    }
    zone_->listeners[group] = before;
    const auto& groups = zone_->listeners.groups();
    const auto taken = std::count_if(groups.begin(), groups.end(), [](auto& g) { return g.isListenedTo(); });
    assert_true(static_cast<uint64_t>(taken) >= zone_->header().channels);
    return state;
}

// Unless another subscriber of this worker still needs it.
void Worker::unlisten(uint32_t channel, uint32_t entry) {
    if (isListeningTo(channel)) {
        return;
    }
    const size_t group = world_.group(channel);
    const Listeners::Group before = zone_->listeners.begin(group, slot_);
    zone_->log().unlisten(entry, listenerIdOf(slot_));
    zone_->listeners.end(group, slot_, Listeners::Mark::No, before);
}

bool Worker::isListeningTo(uint32_t channel) const {
    return std::any_of(readers_.begin(), readers_.end(), [&](const auto& reader) {
        const auto& other = reader->subscription();
        return !other.entries.empty() &&
               std::any_of(other.channels.begin(), other.channels.end(),
                           [&](uint32_t c) { return world_.group(c) == world_.group(channel); });
    });
}

void Worker::count(uint32_t channel, uint32_t entry, int32_t change) {
    Listeners::Group& group = zone_->listeners[world_.group(channel)];
    const std::optional<uint32_t> before = group.subscribers;
    group.subscribers.reset();
    zone_->log().addSubscribers(entry, change);
    if (before) {
        group.subscribers = static_cast<uint32_t>(std::max<int64_t>(int64_t{*before} + change, 0));
    }
}

void Worker::answerCensus() {
    if (census_ == zone_->log().census()) {
        return;
    }
    census_ = zone_->log().census();
    for (size_t i = 0; i < readers_.size(); ++i) {
        const Reader::Subscription& known = readers_[i]->subscription();
        for (size_t c = 0; c < known.entries.size(); ++c) {
            count(known.channels[c], known.entries[c], 1);
        }
    }
}

// --- The dead ---

void Worker::cleanUp() {
    if (world_.deadSlots.empty() || zone_ != world_.zone) {
        return;
    }
    cleaning_ = world_.deadSlots.back();
    world_.deadSlots.pop_back();
    trace.note("%lu forgets %lu", pid, *cleaning_);
    forgetSlot(*cleaning_);
    if (zone_ == world_.zone) {
        world_.slots[*cleaning_] = false;
    } else { // it may have listened to the next log, too
        world_.deadSlots.push_back(*cleaning_);
    }
    cleaning_.reset();
    const Lock lock(world_, *zone_);
    for (size_t group = 0; group < world_.groups; ++group) {
        zone_->listeners[group].subscribers.reset();
    }
    zone_->log().beginCensus();
    for (size_t group = 0; group < world_.groups; ++group) {
        zone_->listeners[group].subscribers = 0;
    }
}

// In slices, between which others have the lock.
void Worker::forgetSlot(uint32_t slot) {
    constexpr uint32_t kSlice = 3;
    bool isMore = true;
    for (uint32_t from = 0; isMore; from += kSlice) {
        {
            const Lock lock(world_, *zone_);
            for (size_t group = 0; from == 0 && group < world_.groups; ++group) {
                zone_->listeners.begin(group, slot);
            }
            isMore = zone_->log().forgetListeners(setOf(listenerIdOf(slot)), from, kSlice);
            for (size_t group = 0; !isMore && group < world_.groups; ++group) {
                const Listeners::Group before = zone_->listeners[group];
                zone_->listeners.end(group, slot, Listeners::Mark::No, before);
            }
        }
        scheduler.pause();
    }
}

// --- Looking ---

// An event that was appended before stock was taken is found as long as it is there and the table is not
// crowded.
void Worker::lookUp() {
    const uint32_t channel = static_cast<uint32_t>(world_.random.below(world_.channels));
    event_.publisherId = "own-" + std::to_string(world_.random.below(8));
    const auto matches = [&](uint64_t number) {
        return life_->at(number).channel == channel && life_->at(number).publisherId == event_.publisherId;
    };
    uint64_t known = 0;
    {
        const Lock lock(world_, *zone_);
        zone_->log().findChannel(world_.hash(channel));
        zone_->observe();
        life_ = zone_->life;
        known = zone_->published();
    }
    const std::optional<EventId> found =
        zone_->log().findPublisherId(world_.name(channel), world_.hash(channel), event_.publisherId);

    const Quiet quiet(scheduler);
    if (zone_->life != life_) {
        return; // another one has begun
    }
    const Life& life = *life_;
    if (found) {
        assert_true(matches(life.after(*found) - 1) && life.at(life.after(*found) - 1).id == *found);
    }
    while (known > life.first && !matches(known - 1)) {
        --known;
    }
    uint64_t ids = 0;
    for (uint64_t number = zone_->evicted(); number < zone_->published(); ++number) {
        ids += life.at(number).publisherId.empty() ? 0 : 1;
    }
    if (known > life.first && zone_->isRetained(known - 1) &&
        ids < idBucketsFor(zone_->log().capacity()) * 8 / 4) {
        assert_true(found && *found >= life.at(known - 1).id);
    }
}

// Without the lock; each figure was true at some moment.
void Worker::lookAtFigures() {
    const uint64_t published = zone_->published();
    const LogStats stats = zone_->log().stats();
    const Quiet quiet(scheduler);
    zone_->observe();
    const std::shared_ptr<Life>& before = zone_->lifeBefore;
    const auto isIssued = [&](EventId id) {
        return zone_->life->hasIssued(id) || (before && before->hasIssued(id));
    };
    assert_true(isIssued(stats.lastId));
    assert_true(stats.firstId == EventId{} || isIssued(stats.firstId));
    assert_true(stats.published + kMostTogether >= published && stats.published <= zone_->published());
    assert_true(stats.evicted <= zone_->published() && stats.used <= stats.capacity);
    assert_true(stats.channels <= stats.channelCapacity);
}

} // namespace sse::sim
