#include "publish/bus_share.hpp"

#ifndef SSE_WITHOUT_BUS

#include <algorithm>
#include <new>

#include "sse/channel_names.hpp"

namespace sse {

namespace {

Refusal refusalOf(Failure failure) noexcept {
    switch (failure) {
    case Failure::None:
        break;
    case Failure::Away:
        return Refusal::BusAway;
    case Failure::Refused:
        return Refusal::BusRefuses;
    case Failure::Unknown:
        return Refusal::OutcomeUnknown;
    }
    return Refusal::None;
}

Refusal refusalOf(Pipeline::Taken taken) noexcept {
    switch (taken) {
    case Pipeline::Taken::Yes:
        break;
    case Pipeline::Taken::Away:
        return Refusal::BusAway;
    case Pipeline::Taken::NoMemory:
        return Refusal::NoMemory;
    }
    return Refusal::None;
}

Refusal refusalOf(Barrier::Result result) noexcept {
    switch (result) {
    case Barrier::Result::Passed:
        break;
    case Barrier::Result::Late:
        return Refusal::NotFilled;
    case Barrier::Result::Away:
        return Refusal::BusAway;
    }
    return Refusal::None;
}

Verdict verdictOf(const RequestRecord& record, EventId id) noexcept {
    switch (record.kind) {
    case RequestRecord::Kind::None:
    case RequestRecord::Kind::Published:
    case RequestRecord::Kind::Nothing:
    case RequestRecord::Kind::Newest:
        break;
    case RequestRecord::Kind::Repeated:
        return {.kind = Verdict::Kind::Repeated,
                .id = id,
                .publisherId = record.publisherId,
                .ended = record.ended};
    case RequestRecord::Kind::StaleEpoch:
        return {.kind = Verdict::Kind::StaleEpoch, .number = record.number};
    case RequestRecord::Kind::OutOfSequence:
        return {.kind = Verdict::Kind::OutOfSequence, .number = record.number};
    }
    return {};
}

// The name of the last of its channels; `usual` if it names none.
std::string_view lastChannelOf(const StagedEvent& event, std::string_view usual) noexcept {
    std::string_view last = usual;
    eachName(event.channels, [&last](std::string_view name) noexcept {
        last = name;
        return true;
    });
    return last;
}

} // namespace

BusShare::BusShare(const Zone& zone, ngx_pool_t* pool, void* self,
                   void (*onProgress)(void* self) noexcept) noexcept
    : zone_(zone), pool_(pool), self_(self), onProgress_(onProgress),
      bus_(zone.bus == nullptr ? nullptr : Bus::of(zone)) {
    void* memory = bus_ == nullptr ? nullptr : ngx_palloc(pool, sizeof(Order));
    if (memory != nullptr) {
        order_ = new (memory) Order(bus_->pipeline().flight(), this,
                                    [](void* share) noexcept { static_cast<BusShare*>(share)->onOrder(); });
    }
}

BusShare::~BusShare() {
    if (comesBack_ != nullptr) {
        comesBack_->~LogWait();
    }
    if (barrier_ != nullptr) {
        barrier_->~Barrier();
    }
    if (order_ != nullptr) {
        order_->~Order();
    }
}

Refusal BusShare::check(const Preconditions& preconditions) const noexcept {
    if (!isUsed()) {
        return Refusal::None;
    }
    if (preconditions.ifMatch || preconditions.ifNoneMatch) {
        return Refusal::NotWithBus;
    }
    return order_ != nullptr && bus_->pipeline().isUp() ? Refusal::None : Refusal::BusAway;
}

// --- On their way ---

HandedOver BusShare::publish(const ChannelKey& channel, const StagedEvents& events,
                             const AppendOptions& options, Outcome& outcome) noexcept {
    if (failure() != Failure::None) {
        return {refusalOf(failure())};
    }
    size_t most = SIZE_MAX; // events that go to channels that have not ended
    if (!options.reopen) {
        const std::optional<size_t> open = countOpen(zone_, channel, events);
        if (!open) {
            return {Refusal::Locked};
        }
        most = *open;
        confirmation_ = Confirmation::Needed;
    }
    note(channel, events, options, outcome);
    const std::string_view stamp =
        options.preconditions == nullptr ? std::string_view() : options.preconditions->stamp.bytes();
    if (!options.whole && stamp.empty()) {
        return publishEach(channel, events, options, most);
    }
    size_t count = 0;
    events.each([&count](const StagedEvent&) noexcept { return ++count != 0; });
    if (most < count && stamp.empty()) {
        return {Refusal::ChannelEnded};
    }
    return {publishWhole({channel.name, stamp, &events, options.end, most < count, options.reopen}), count};
}

HandedOver BusShare::publishEach(const ChannelKey& channel, const StagedEvents& events,
                                 const AppendOptions& options, size_t most) noexcept {
    HandedOver handed;
    events.each([&](const StagedEvent& event) noexcept {
        handed.refusal =
            most-- == 0 ? Refusal::ChannelEnded
                        : refusalOf(bus_->pipeline().publish(*order_, channel.name, event,
                                                             {endsWith(event, options), options.reopen}));
        if (handed.refusal != Refusal::None) {
            return false;
        }
        handed.copies += std::max<size_t>(countNames(event.channels), 1);
        hasPublished_ = hasPublished_ || event.channels.empty() || hasName(event.channels, channel.name);
        return true;
    });
    return handed;
}

Refusal BusShare::publishWhole(const WholeRequest& request) noexcept {
    return refusalOf(bus_->pipeline().publishWhole(*order_, request));
}

Refusal BusShare::end(const ChannelKey& channel, const Preconditions& preconditions,
                      Outcome& outcome) noexcept {
    if (failure() != Failure::None) {
        return refusalOf(failure());
    }
    const std::optional<KnownChannel> known = lookUp(zone_, channel);
    if (!known) {
        return Refusal::Locked;
    }
    end_ = {channel, &preconditions, &outcome};
    if (hasPublished_) {
        return endKnown({.exists = true});
    }
    return known->exists && !known->ended ? endKnown(*known) : endLater();
}

// An event may have begun the channel, or begun it again, that has not come back from Redis yet.
Refusal BusShare::endLater() noexcept {
    void* memory = ngx_palloc(pool_, sizeof(Barrier));
    if (memory == nullptr) {
        return Refusal::NoMemory;
    }
    barrier_ = new (memory)
        Barrier(bus_->pipeline(), bus_->state(), this, [](void* self, Barrier::Result result) noexcept {
            static_cast<BusShare*>(self)->onBarrier(result);
        });
    return refusalOf(barrier_->start(bus_->config().timeout));
}

// What has come since a reload that has replaced the zone is in the new zone only.
void BusShare::onBarrier(Barrier::Result result) noexcept {
    endRefusal_ = refusalOf(result);
    if (endRefusal_ == Refusal::None && failure() == Failure::None) {
        const std::optional<KnownChannel> known = lookUp(zone_, end_->channel);
        endRefusal_ = !known ? Refusal::Locked : known->isOfOldZone ? Refusal::Retired : endKnown(*known);
    }
    waitForEnd();
}

Refusal BusShare::endKnown(const KnownChannel& known) noexcept {
    if (!known.exists) {
        return Refusal::UnknownChannel;
    }
    const std::string_view channel = end_->channel.name;
    Outcome& outcome = *end_->outcome;
    outcome.hasEnded_ = true;
    outcome.lastChannel_ = ShortText<kMaxChannelName>(channel);
    if (!end_->preconditions->stamp.empty()) {
        return publishWhole({channel, end_->preconditions->stamp.bytes(), nullptr, true, known.ended});
    }
    if (known.ended) {
        outcome.newestId_ = known.endId;
        return Refusal::None;
    }
    return refusalOf(bus_->pipeline().end(*order_, channel));
}

// Notes what the answer says of the last event, if it gets that far.
void BusShare::note(const ChannelKey& channel, const StagedEvents& events, const AppendOptions& options,
                    Outcome& outcome) noexcept {
    events.each([&](const StagedEvent& event) noexcept {
        if (event.isLast) {
            outcome.lastPublisherId_ = PublisherId(event.publisherId);
            outcome.lastChannel_ = ShortText<kMaxChannelName>(lastChannelOf(event, channel.name));
            outcome.hasEnded_ = endsWith(event, options);
        }
        return true;
    });
}

// --- Waiting ---

// A request that cannot get any further has room: it is refused.
bool BusShare::hasRoom() const noexcept {
    return order_ == nullptr || order_->failure() != Failure::None || !bus_->pipeline().isUp() ||
           order_->hasRoom();
}

bool BusShare::isOver() const noexcept {
    return order_ == nullptr || (order_->isOver() && !isAtBarrier() && !mustConfirm());
}

void BusShare::waitForRoom() noexcept {
    order_->wait(Order::Wish::Room);
}

// At a barrier the end of the channel is still to come.
void BusShare::waitForEnd() noexcept {
    isEnding_ = true;
    if (!isAtBarrier()) {
        order_->wait(Order::Wish::Over);
    }
}

// There is room, or everything is in the stream.
void BusShare::onOrder() noexcept {
    if (!(isEnding_ && mustConfirm() && confirm())) {
        onProgress_(self_);
    }
}

bool BusShare::mustConfirm() const noexcept {
    return confirmation_ == Confirmation::Needed && order_->failure() == Failure::None &&
           order_->lastId() != StreamId{};
}

// false without memory; then it counts as confirmed.
bool BusShare::confirm() noexcept {
    void* memory = ngx_palloc(pool_, sizeof(LogWait));
    if (memory == nullptr) {
        confirmation_ = Confirmation::Done;
        return false;
    }
    comesBack_ = new (memory) LogWait(bus_->state(), this, [](void* share, bool) noexcept {
        auto& self = *static_cast<BusShare*>(share);
        self.confirmation_ = Confirmation::Done;
        self.onProgress_(self.self_);
    });
    comesBack_->start(order_->lastId(), ngx_current_msec + bus_->config().timeout);
    return true;
}

void BusShare::leave(Outcome& outcome) noexcept {
    if (comesBack_ != nullptr) {
        comesBack_->cancel();
    }
    if (barrier_ != nullptr) {
        barrier_->cancel();
    }
    if (order_ != nullptr) {
        outcome.context_.events = order_->events();
        order_->detach();
    }
}

// --- The outcome ---

Failure BusShare::failure() const noexcept {
    return order_ != nullptr ? order_->failure() : Failure::Away;
}

EventId BusShare::toId(StreamId id) const noexcept {
    return id == StreamId{} ? EventId{} : toEventId(id, bus_->pipeline().lineage());
}

Refusal BusShare::settle(Outcome& outcome) noexcept {
    if (order_ == nullptr) {
        return Refusal::None;
    }
    const Failure failure = order_->isOver() ? order_->failure() : Failure::Unknown;
    outcome.isUnknown_ = failure == Failure::Unknown;
    outcome.context_.events = order_->events();
    if (order_->lastId() != StreamId{}) {
        outcome.newestId_ = toId(order_->lastId());
    }
    if (order_->events() != 0) {
        outcome.context_.lastId = outcome.newestId_;
    }
    if (const ngx_uint_t acks = bus_->pipeline().acks(); acks != 0 && order_->events() != 0) {
        outcome.replicas_ = {order_->replicas(), static_cast<uint32_t>(acks)};
    }
    const std::string_view last = outcome.lastChannel_.view();
    if (!last.empty()) {
        const std::optional<KnownChannel> known = lookUp(zone_, {last, zone_.log.hash(last)});
        outcome.context_.subscribers = known ? known->subscribers : 0;
        if (confirmation_ == Confirmation::Done && known && known->ended &&
            outcome.newestId_ > known->endId) {
            endRefusal_ = Refusal::ChannelEnded; // all machines have left the last event out
        }
    }
    if (failure != Failure::None) {
        return refusalOf(failure);
    }
    if (isAtBarrier()) { // its worker leaves, and the channel has not been ended
        return Refusal::NotFilled;
    }
    return endRefusal_ != Refusal::None ? endRefusal_ : settleWhole(outcome);
}

// If the request was only checked, the channel has ended.
Refusal BusShare::settleWhole(Outcome& outcome) const noexcept {
    const RequestRecord& record = order_->record();
    if (record.kind == RequestRecord::Kind::Nothing) {
        outcome.hasEnded_ = false;
        return Refusal::ChannelEnded;
    }
    outcome.verdict_ = verdictOf(record, toId(record.id));
    if (outcome.isRepeated()) {
        outcome.context_.lastId = outcome.newestId_ = outcome.verdict_.id;
        outcome.lastPublisherId_ = record.publisherId;
        outcome.hasEnded_ = record.ended;
    }
    return sse::refusalOf(outcome.verdict_);
}

} // namespace sse

#endif
