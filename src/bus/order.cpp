#include "bus/order.hpp"

#include <algorithm>

#include "bus/flight.hpp"

namespace sse {

bool Order::hasRoom() const noexcept {
    return bytes_ < Flight::kMostBytesOfOrder && !flight_.isFull();
}

// Waits for more than a little room, or going on is not worth it.
bool Order::isWishMet() const noexcept {
    switch (wish_) {
    case Wish::Nothing:
        break;
    case Wish::Room:
        return failure_ != Failure::None || (bytes_ <= Flight::kMostBytesOfOrder / 2 && !flight_.isFull());
    case Wish::Over:
        return isOver();
    }
    return false;
}

void Order::wait(Wish wish) noexcept {
    flight_.unlist(*this);
    wish_ = wish;
    flight_.lookAt(*this);
}

void Order::detach() noexcept {
    flight_.detach(*this);
}

// The numbers say what came before what: a failure may be known earlier than what precedes it. The copies of
// an event have consecutive numbers.
void Order::settle(uint64_t number, const Outcome& outcome) noexcept {
    bool isHole = false; // something is there, and what precedes it, or the rest of the event, is not
    if (outcome.failure != Failure::None) {
        isHole = number < reached_ || isWithin_;
        failure_ = failure_ == Failure::None ? outcome.failure : failure_;
        failedAt_ = std::min(failedAt_, number);
    } else if (number > failedAt_) {
        isHole = true;
    } else {
        isHole = outcome.isPart && failedAt_ == number + 1;
        isWithin_ = outcome.isPart;
        reached_ = number;
        events_ += outcome.events;
        replicas_ = std::min(replicas_, outcome.replicas);
        lastId_ = std::max(lastId_, outcome.id);
    }
    failure_ = isHole || outcome.failure == Failure::Unknown ? Failure::Unknown : failure_;
}

void OrderList::add(Order& order) noexcept {
    order.list_ = this;
    order.before_ = last;
    order.after_ = nullptr;
    (last == nullptr ? first : last->after_) = &order;
    last = &order;
}

void OrderList::remove(Order& order) noexcept {
    (order.before_ == nullptr ? first : order.before_->after_) = order.after_;
    (order.after_ == nullptr ? last : order.after_->before_) = order.before_;
    order.list_ = nullptr;
}

} // namespace sse
