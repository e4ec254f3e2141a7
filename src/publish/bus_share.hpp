// What a request publishes through the bus of its zone: its events on their way to Redis, and what becomes of
// them. A zone without a bus has no use for it.
#pragma once

#include "publish/append_events.hpp"
#include "publish/outcome.hpp"
#include "zone.hpp"

#ifndef SSE_WITHOUT_BUS
#include "bus/barrier.hpp"
#include "bus/bus.hpp"
#endif

namespace sse {

// What has been handed over: how many copies of the events, for all of their channels.
struct HandedOver {
    Refusal refusal = Refusal::None;
    uint64_t copies = 0;
};

#ifndef SSE_WITHOUT_BUS

class BusShare {
public:
    // `onProgress`: see Order. Most requests need no memory for that; with a bus it comes from the pool.
    BusShare(const Zone& zone, ngx_pool_t* pool, void* self,
             void (*onProgress)(void* self) noexcept) noexcept;
    BusShare(const BusShare&) = delete;
    BusShare& operator=(const BusShare&) = delete;
    ~BusShare();

    // Whether the zone has a bus: then events go there, and the zone gets them from there.
    bool isUsed() const noexcept { return zone_.bus != nullptr; }
    // Why the request is refused before anything of it is read.
    Refusal check(const Preconditions& preconditions) const noexcept;

    // Hands events over as appendEvents() appends them. The outcome notes what the answer says if all goes
    // well.
    HandedOver publish(const ChannelKey& channel, const StagedEvents& events, const AppendOptions& options,
                       Outcome& outcome) noexcept;
    // The same for the end of a channel alone, as appendEnd() does it. What it is given must live as long as
    // this object.
    Refusal end(const ChannelKey& channel, const Preconditions& preconditions, Outcome& outcome) noexcept;

    // Whether more may be handed over.
    bool hasRoom() const noexcept;
    // Whether the outcome is known.
    bool isOver() const noexcept;
    // onProgress() is called when there is room again, or when the outcome is known.
    void waitForRoom() noexcept;
    void waitForEnd() noexcept;

    // Tells the outcome what has become of the events by now. Returns how the client is told; what is still
    // on its way counts as unknown.
    Refusal settle(Outcome& outcome) noexcept;
    // Counts what has been published, and does not wait for the rest.
    void leave(Outcome& outcome) noexcept;

private:
    HandedOver publishEach(const ChannelKey& channel, const StagedEvents& events,
                           const AppendOptions& options, size_t most) noexcept;
    Refusal publishWhole(const WholeRequest& request) noexcept;
    void onOrder() noexcept;
    bool mustConfirm() const noexcept;
    bool confirm() noexcept;
    Refusal endLater() noexcept;
    void onBarrier(Barrier::Result result) noexcept;
    Refusal endKnown(const KnownChannel& known) noexcept;
    bool isAtBarrier() const noexcept { return barrier_ != nullptr && barrier_->isWaiting(); }
    Failure failure() const noexcept;
    void note(const ChannelKey& channel, const StagedEvents& events, const AppendOptions& options,
              Outcome& outcome) noexcept;
    Refusal settleWhole(Outcome& outcome) const noexcept;
    EventId toId(StreamId id) const noexcept;

    // The end of a channel alone.
    struct End {
        ChannelKey channel;
        const Preconditions* preconditions;
        Outcome* outcome;
    };

    const Zone& zone_;
    ngx_pool_t* pool_;
    void* self_;
    void (*onProgress_)(void* self) noexcept;
    Bus* bus_ = nullptr;        // NULL: the zone has none, or this worker has no memory for it
    Order* order_ = nullptr;    // NULL: the same
    bool hasPublished_ = false; // an event of the channel of the request has been handed over
    bool isEnding_ = false;     // the request waits for the end
    std::optional<End> end_;
    Barrier* barrier_ = nullptr;         // NULL: there was nothing to wait for
    Refusal endRefusal_ = Refusal::None; // why the channel has not been ended after all
    // Whether its channel had not ended is known once the last event has come back; see EntryFlags.
    enum class Confirmation : uint8_t { NotNeeded, Needed, Done } confirmation_ = Confirmation::NotNeeded;
    LogWait* comesBack_ = nullptr; // NULL: there was nothing to wait for
};

#else

class BusShare {
public:
    BusShare(const Zone&, ngx_pool_t*, void*, void (*)(void*) noexcept) noexcept {}

    bool isUsed() const noexcept { return false; }
    Refusal check(const Preconditions&) const noexcept { return Refusal::None; }
    HandedOver publish(const ChannelKey&, const StagedEvents&, const AppendOptions&, Outcome&) noexcept {
        return {};
    }
    Refusal end(const ChannelKey&, const Preconditions&, Outcome&) noexcept { return Refusal::None; }
    bool hasRoom() const noexcept { return true; }
    bool isOver() const noexcept { return true; }
    void waitForRoom() noexcept {}
    void waitForEnd() noexcept {}
    Refusal settle(Outcome&) noexcept { return Refusal::None; }
    void leave(Outcome&) noexcept {}
};

#endif

} // namespace sse
