#include "bus/flight.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "log/assert.hpp"

namespace sse {

namespace {

constexpr uint64_t kLeastCapacity = 64;
// Bytes at the front that are gone are removed at once if they are at least this many, and at least half of
// all.
constexpr size_t kMuchGone = 64 * 1024;
// An empty buffer keeps up to this much memory.
constexpr size_t kMostIdle = 256 * 1024;

bool isWrite(Flight::Kind kind) noexcept {
    return kind == Flight::Kind::Event || kind == Flight::Kind::Whole;
}

} // namespace

// --- Orders ---

void Flight::unlist(Order& order) noexcept {
    if (order.list_ != nullptr) {
        order.list_->remove(order);
    }
}

// Finds out whether the wish of an order is met, or would be if the others had less on their way.
void Flight::lookAt(Order& order) noexcept {
    if (order.isWishMet()) {
        if (order.list_ != &changed_) {
            unlist(order);
            changed_.add(order);
        }
        onChanged_(self_);
    } else if (order.wish_ == Order::Wish::Room && order.list_ == nullptr &&
               order.bytes_ <= kMostBytesOfOrder / 2) {
        thirsty_.add(order);
    }
}

void Flight::detach(Order& order) noexcept {
    unlist(order);
    if (order.isOver()) {
        return;
    }
    for (uint64_t number = std::max(order.first_, first_); number <= order.last_; ++number) {
        if (at(number).order == &order) {
            at(number).order = nullptr;
        }
    }
    order.outstanding_ = 0;
    order.bytes_ = 0;
}

// Orders that wait until all together have room are told one after another, because each may use all of the
// room.
bool Flight::progress() noexcept {
    OrderList& list = changed_.first == nullptr && !isFull() ? thirsty_ : changed_;
    Order* order = list.first;
    if (order == nullptr) {
        return false;
    }
    list.remove(*order);
    order->wish_ = Order::Wish::Nothing;
    order->onProgress_(order->self_);
    return changed_.first != nullptr || (thirsty_.first != nullptr && !isFull());
}

// --- Handing over and sending ---

Flight::~Flight() {
    std::free(ring_);
}

// Numbers keep their places modulo the capacity.
bool Flight::makeRoom() noexcept {
    if (next_ - first_ < capacity_) {
        return true;
    }
    const uint64_t capacity = std::max(kLeastCapacity, capacity_ * 2);
    auto* ring = static_cast<Command*>(std::malloc(capacity * sizeof(Command)));
    if (ring == nullptr) {
        return false;
    }
    for (uint64_t number = first_; number != next_; ++number) {
        new (&ring[number & (capacity - 1)]) Command(at(number));
    }
    std::free(ring_);
    ring_ = ring;
    capacity_ = capacity;
    return true;
}

bool Flight::add(const Command& command) noexcept {
    if (!makeRoom()) {
        dropDraft();
        return false;
    }
    const uint64_t number = next_++;
    Command& added = *new (&at(number)) Command(command);
    added.at = gone_ + end_;
    added.length = bytes_.size() - end_;
    end_ = bytes_.size();
    size_ += added.length;
    ++counts_[static_cast<size_t>(State::Queued)];
    hasQueuedWrites_ = hasQueuedWrites_ || isWrite(added.kind);
    if (Order* order = added.order; order != nullptr) {
        order->first_ = order->isOver() ? number : order->first_;
        order->last_ = number;
        order->bytes_ += added.length;
        ++order->outstanding_;
    }
    return true;
}

bool Flight::send(Buffer& out) noexcept {
    const size_t before = out.size();
    for (uint64_t number = toSend_; number != next_; ++number) {
        const Command& command = at(number);
        if (command.state == State::Queued && !out.append(bytesOf(command))) {
            out.cut(before);
            return false;
        }
    }
    for (; toSend_ != next_; ++toSend_) {
        Command& command = at(toSend_);
        if (command.state == State::Queued) {
            become(command, State::Sent);
            waits_ += command.kind == Kind::Wait ? 1 : 0;
            awaited_ = std::min(awaited_, toSend_);
        }
    }
    hasQueuedWrites_ = false;
    return true;
}

// --- Replies ---

uint64_t Flight::awaited() noexcept {
    awaited_ = std::max(awaited_, first_);
    while (awaited_ != next_ && at(awaited_).state != State::Sent) {
        ++awaited_;
    }
    return awaited_ == next_ ? kNone : awaited_;
}

void Flight::accept(uint64_t number, StreamId id, bool waits) noexcept {
    at(number).id = id;
    become(at(number), State::Known);
    if (!waits) {
        settle(number, {.id = id});
        trim();
    }
}

// A request that has added no entry needs no replica.
void Flight::acceptWhole(uint64_t number, const RequestRecord& record, bool waits) noexcept {
    if (Order* order = at(number).order; order != nullptr) {
        order->record_ = record;
    }
    const bool hasEntries = record.kind == RequestRecord::Kind::Published;
    at(number).events = hasEntries ? at(number).events : 0;
    accept(number, record.id, waits && hasEntries);
}

void Flight::refuse(uint64_t number, Failure failure) noexcept {
    settle(number, {.failure = failure});
    trim();
}

void Flight::confirm(uint64_t number, uint32_t replicas) noexcept {
    for (uint64_t before = first_; before != number; ++before) {
        if (at(before).state == State::Known) {
            settle(before, {.id = at(before).id, .replicas = replicas});
        }
    }
    drop(number);
    trim();
}

void Flight::answer(uint64_t number, const Reply& reply) noexcept {
    const Question* question = at(number).question;
    drop(number);
    trim();
    if (question != nullptr) { // it still waits for the answer
        question->onAnswer(question->self, &reply);
    }
}

bool Flight::repeat(uint64_t number) noexcept {
    if (at(number).isRepeated || at(number).hasLapsed) {
        return false;
    }
    at(number).isRepeated = true;
    queueAgain(number);
    return true;
}

void Flight::queueAgain(uint64_t number) noexcept {
    become(at(number), State::Queued);
    toSend_ = std::min(toSend_, number);
    hasQueuedWrites_ = true;
}

// --- What becomes of a command ---

// `outcome` says what has become of it, except for what the command itself knows.
void Flight::settle(uint64_t number, const Order::Outcome& outcome) noexcept {
    SSE_ASSERT(at(number).state != State::Settled);
    tell(number, outcome);
    drop(number);
}

void Flight::tell(uint64_t number, Order::Outcome outcome) noexcept {
    Command& command = at(number);
    if (command.hasLapsed) {
        return;
    }
    note(command, outcome.failure);
    Order* order = std::exchange(command.order, nullptr);
    if (order == nullptr) {
        return;
    }
    order->bytes_ -= command.length;
    --order->outstanding_;
    outcome.events = command.events;
    outcome.isPart = command.isPart;
    order->settle(number, outcome);
    lookAt(*order);
}

// Its reply may still come.
void Flight::lapse(uint64_t number) noexcept {
    at(number).kind == Kind::Question ? tellNothing(number) : tell(number, {.failure = Failure::Unknown});
    at(number).hasLapsed = true;
}

// The question gets no answer.
void Flight::forsake(uint64_t number) noexcept {
    drop(number);
    tellNothing(number);
}

// Its handler may ask again, which moves the commands.
void Flight::tellNothing(uint64_t number) noexcept {
    const Question* question = std::exchange(at(number).question, nullptr);
    question->onAnswer(question->self, nullptr);
}

void Flight::note(const Command& command, Failure failure) noexcept {
    switch (failure) {
    case Failure::None:
        tally_.published += command.events;
        break;
    case Failure::Away:
    case Failure::Refused:
        tally_.refused += command.events;
        break;
    case Failure::Unknown:
        tally_.unknown += command.events;
        break;
    }
}

void Flight::become(Command& command, State state) noexcept {
    --counts_[static_cast<size_t>(command.state)];
    ++counts_[static_cast<size_t>(state)];
    command.state = state;
}

// The command needs nothing more.
void Flight::drop(uint64_t number) noexcept {
    Command& command = at(number);
    waits_ -= command.kind == Kind::Wait && command.state == State::Sent ? 1 : 0;
    size_ -= command.length;
    become(command, State::Settled);
    command.order = nullptr;
}

// Forgets the settled commands at the front.
void Flight::trim() noexcept {
    while (first_ != next_ && at(first_).state == State::Settled) {
        ++first_;
    }
    toSend_ = std::max(toSend_, first_);
    awaited_ = std::max(awaited_, first_);
    due_ = std::max(due_, first_);
    const size_t gone = first_ == next_ ? end_ : static_cast<size_t>(at(first_).at - gone_);
    if (gone == end_ || (gone >= kMuchGone && gone >= end_ / 2)) {
        bytes_.dropFront(gone);
        gone_ += gone;
        end_ -= gone;
    }
    if (first_ == next_ && bytes_.empty() && bytes_.held() > kMostIdle) {
        bytes_.reset();
    }
    if (thirsty_.first != nullptr && !isFull()) {
        onChanged_(self_);
    }
}

// --- When the connection is lost ---

void Flight::lose() noexcept {
    found_ = 0;
    for (uint64_t number = first_; number != next_; ++number) {
        Command& command = at(number);
        if (command.state != State::Sent && command.state != State::Known) {
            continue;
        }
        if (command.kind == Kind::Wait || command.hasLapsed) {
            drop(number);
        } else if (command.kind == Kind::Question) {
            forsake(number);
        } else {
            become(command, State::Doubtful);
        }
    }
    trim();
}

// Several entries may have the same token; the last one counts.
void Flight::find(uint64_t number, StreamId id) noexcept {
    if (number < first_ || number >= next_) {
        return;
    }
    Command& command = at(number);
    if (command.state == State::Doubtful) {
        become(command, State::Known);
    } else if (command.state != State::Known) {
        return;
    }
    command.id = id;
    found_ = std::max(found_, number);
}

// Redis executes the commands of a connection in order. So an event that precedes one that has been found,
// but has not been found itself, was refused or is no longer there.
bool Flight::endSearch(bool mayRepeat, bool waits) noexcept {
    bool mustAsk = false;
    for (uint64_t number = first_; number != next_; ++number) {
        Command& command = at(number);
        if (command.state == State::Known) {
            if (command.kind == Kind::Whole && command.order != nullptr) {
                command.order->record_ = {.kind = RequestRecord::Kind::Published, .id = command.id};
            }
            mustAsk = mustAsk || waits;
            if (!waits) {
                settle(number, {.id = command.id});
            }
        } else if (command.state == State::Doubtful) {
            const bool isOvertaken = command.kind == Kind::Event && number < found_;
            if (mayRepeat && !isOvertaken) {
                queueAgain(number);
            } else {
                settle(number, {.failure = Failure::Unknown});
            }
        }
    }
    trim();
    return mustAsk;
}

// --- Time ---

void Flight::expire(uint64_t now) noexcept {
    for (; due_ != next_ && at(due_).due <= now; ++due_) {
        const Command& command = at(due_);
        if (command.state == State::Queued) {
            failOne(due_);
        } else if (command.state == State::Doubtful) {
            settle(due_, {.failure = Failure::Unknown});
        } else if (command.state != State::Settled) {
            lapse(due_);
        }
    }
    trim();
}

void Flight::failQueued() noexcept {
    const uint64_t end = next_;
    for (uint64_t number = toSend_; number != end; ++number) {
        if (at(number).state == State::Queued) {
            failOne(number);
        }
    }
    trim();
}

void Flight::endThirst() noexcept {
    while (Order* order = thirsty_.first) {
        thirsty_.remove(*order);
        changed_.add(*order);
        onChanged_(self_);
    }
}

// For a command that has not been sent.
void Flight::failOne(uint64_t number) noexcept {
    if (at(number).kind == Kind::Question) {
        forsake(number);
    } else {
        settle(number, {.failure = Failure::Away});
    }
}

} // namespace sse
