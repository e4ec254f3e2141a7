// A request's share of what its worker gives to Redis: how much of it is on its way, and what has become of
// the rest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/request_record.hpp"
#include "bus/stream_id.hpp"

namespace sse {

class Flight;
class Order;

// A list of orders. Each order is in one list at most.
struct OrderList {
    Order* first = nullptr;
    Order* last = nullptr;

    void add(Order& order) noexcept;
    void remove(Order& order) noexcept;
};

// Why an event is not known to be in the stream.
enum class Failure : uint8_t {
    None,
    Away,    // Redis was not available: it never got the event
    Refused, // Redis has answered with an error: the stream does not have it
    Unknown, // Redis has got it, but what it has done with it is not known
};

class Order {
public:
    // What its owner waits for.
    enum class Wish : uint8_t {
        Nothing,
        Room, // more may be handed over, or Redis is away
        Over, // nothing is on its way any more
    };

    // `onProgress` is called once after each wait(), from a turn of the worker and never by a function of the
    // bus: when the wish is met, or something has failed. It may destroy the order.
    Order(Flight& flight, void* self, void (*onProgress)(void* self) noexcept) noexcept
        : flight_(flight), self_(self), onProgress_(onProgress) {}
    Order(const Order&) = delete;
    Order& operator=(const Order&) = delete;
    ~Order() { detach(); }

    // Whether more may be handed over: neither this order nor all of them together have too much on its way.
    bool hasRoom() const noexcept;
    // Whether nothing is on its way.
    bool isOver() const noexcept { return outstanding_ == 0; }
    void wait(Wish wish) noexcept;
    // Nothing waits for the order any more. What is on its way goes on, but its outcome is not reported.
    void detach() noexcept;

    // The events that are in the stream, from the first on, up to the one that failed.
    uint64_t events() const noexcept { return events_; }
    // The id of the newest entry among these.
    StreamId lastId() const noexcept { return lastId_; }
    // At least this many replicas have all of these events, if replicas are asked for.
    uint32_t replicas() const noexcept { return replicas_; }
    // Also Unknown if something has failed but what came after it is in the stream.
    Failure failure() const noexcept { return failure_; }
    // What has become of a request that was published as a whole.
    const RequestRecord& record() const noexcept { return record_; }

private:
    friend class Flight;
    friend struct OrderList;
    struct Outcome {
        Failure failure = Failure::None;
        uint32_t events = 0;
        bool isPart = false; // of an event: other copies follow
        StreamId id{};
        uint32_t replicas = 0;
    };
    void settle(uint64_t number, const Outcome& outcome) noexcept;
    bool isWishMet() const noexcept;

    Flight& flight_;
    void* self_;
    void (*onProgress_)(void* self) noexcept;
    Wish wish_ = Wish::Nothing;

    size_t bytes_ = 0;       // of commands on their way
    size_t outstanding_ = 0; // how many these are,
    uint64_t first_ = 0;     // and the numbers between which they are
    uint64_t last_ = 0;

    uint64_t events_ = 0;
    StreamId lastId_;
    uint32_t replicas_ = UINT32_MAX;
    Failure failure_ = Failure::None;
    uint64_t failedAt_ = UINT64_MAX; // the number of the first command that failed
    uint64_t reached_ = 0;           // of the last that did not
    bool isWithin_ = false;          // within an event: some of its copies are in the stream
    RequestRecord record_;

    OrderList* list_ = nullptr; // of the flight
    Order* before_ = nullptr;
    Order* after_ = nullptr;
};

} // namespace sse
