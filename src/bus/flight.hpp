// A worker's commands for Redis, from the time when they are handed over until the outcome of each is known.
// They are numbered, and stay in order:
//
//   | known | sent … sent | queued … queued |     known: Redis has it, and its replicas are being asked
//
// When the connection is lost, what has been sent is doubtful. The tokens of the entries contain the numbers,
// so a search in the stream finds out what Redis has done; what Redis has not received is sent again. Nothing
// here knows of nginx or of connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bus/order.hpp"
#include "sse/buffer.hpp"

namespace sse {

struct Reply;

// Something that Redis is asked besides publishing. It must outlive the flight.
struct Question {
    void* self;
    // `reply`: NULL if there will be none. Called once each time the question is asked.
    void (*onAnswer)(void* self, const Reply* reply) noexcept;
};

class Flight {
public:
    // This many bytes of commands may be on their way before their publishers wait. An order is accepted
    // whole, so the limit may be exceeded by what is accepted at a time.
    static constexpr size_t kMostBytes = 4 * 1024 * 1024;
    static constexpr size_t kMostBytesOfOrder = 64 * 1024;

    enum class Kind : uint8_t {
        Event, // one entry
        Whole, // any number of entries, or none
        Wait,  // waits until the replicas have all that was sent before
        Question,
    };
    enum class State : uint8_t {
        Queued,   // is still to be sent
        Sent,     // the reply is to come
        Known,    // Redis has it, and its replicas are being asked
        Doubtful, // was sent before the connection was lost
        Settled,
    };
    static constexpr size_t kStates = 5;

    struct Command {
        Kind kind = Kind::Event;
        State state = State::Queued;
        bool isPart = false;          // of an event: other copies follow
        bool hasLapsed = false;       // it took too long, and its order has been told
        bool isRepeated = false;      // see repeat()
        uint32_t events = 0;          // events that are published with it
        Order* order = nullptr;       // NULL: no order waits
        Question* question = nullptr; // for Kind::Question
        uint64_t due = 0;             // milliseconds: when its outcome must be known
        uint64_t at = 0;              // where its bytes begin, among all bytes that there ever were
        size_t length = 0;            // how many bytes it has
        StreamId id{};                // Known: of its last entry
    };
    // How many events have been settled in each way.
    struct Tally {
        uint64_t published = 0;
        uint64_t refused = 0;
        uint64_t unknown = 0;
    };

    // `onChanged` is called when progress() has something to do.
    Flight(void* self, void (*onChanged)(void* self) noexcept) noexcept
        : self_(self), onChanged_(onChanged) {}
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;
    ~Flight();

    // --- Handing over: the bytes are added to draft(), then the command ---

    // The number of the next command.
    uint64_t next() const noexcept { return next_; }
    Buffer& draft() noexcept { return bytes_; }
    // Its bytes are those that have been added to draft(). false without memory; then they are dropped.
    bool add(const Command& command) noexcept;
    // Drops the bytes instead.
    void dropDraft() noexcept { bytes_.cut(end_); }

    bool isFull() const noexcept { return size_ >= kMostBytes; }
    bool isEmpty() const noexcept { return first_ == next_; }

    // --- Sending ---

    bool hasQueued() const noexcept { return count(State::Queued) != 0; }
    // Whether something has been queued that goes to the replicas.
    bool hasQueuedWrites() const noexcept { return hasQueuedWrites_; }
    // Whether replies are to come, and whether Redis itself waits before it sends one of them.
    bool isAwaiting() const noexcept { return count(State::Sent) != 0; }
    bool isWaiting() const noexcept { return waits_ != 0; }
    // Adds the bytes of all that is queued to `out`; false without memory; then nothing has been added.
    bool send(Buffer& out) noexcept;

    // --- Replies, in order ---

    static constexpr uint64_t kNone = UINT64_MAX;
    // The number of the command that gets the next reply.
    uint64_t awaited() noexcept;
    const Command& command(uint64_t number) const noexcept { return at(number); }

    // The stream has accepted the command. `waits`: replicas must have it, too.
    void accept(uint64_t number, StreamId id, bool waits) noexcept;
    void acceptWhole(uint64_t number, const RequestRecord& record, bool waits) noexcept;
    // The command has failed.
    void refuse(uint64_t number, Failure failure) noexcept;
    // A wait is over: this many replicas have everything that became known before it.
    void confirm(uint64_t number, uint32_t replicas) noexcept;
    void answer(uint64_t number, const Reply& reply) noexcept;
    // The command has not been executed. Queues it again, but only once; it is sent again after everything
    // that has been sent has been answered. false: it has been queued again before.
    bool repeat(uint64_t number) noexcept;

    // --- When the connection is lost ---

    // What has been sent and what is known become doubtful.
    void lose() noexcept;
    bool hasDoubtful() const noexcept { return count(State::Doubtful) != 0; }
    // An entry has the token of that number.
    void find(uint64_t number, StreamId id) noexcept;
    // All entries have been looked at. A command that has not been found is queued again. If it may still get
    // into the stream, or would come after what was sent after it, its outcome is unknown instead. Returns
    // whether replicas must be asked for something that is known.
    bool endSearch(bool mayRepeat, bool waits) noexcept;

    // --- Time ---

    // Settles what is due.
    void expire(uint64_t now) noexcept;
    // Redis is away: settles what is queued.
    void failQueued() noexcept;
    // Redis is away: no order waits for room any more.
    void endThirst() noexcept;

    // Tells one order that its wish is met. Returns whether there are more. The order may do anything.
    bool progress() noexcept;

    const Tally& tally() const noexcept { return tally_; }
    size_t size() const noexcept { return size_; }

private:
    friend class Order;

    Command& at(uint64_t number) const noexcept { return ring_[number & (capacity_ - 1)]; }
    std::string_view bytesOf(const Command& command) const noexcept {
        return {bytes_.view().data() + (command.at - gone_), command.length};
    }
    size_t count(State state) const noexcept { return counts_[static_cast<size_t>(state)]; }
    void become(Command& command, State state) noexcept;
    bool makeRoom() noexcept;
    void settle(uint64_t number, const Order::Outcome& outcome) noexcept;
    void tell(uint64_t number, Order::Outcome outcome) noexcept;
    void lapse(uint64_t number) noexcept;
    void forsake(uint64_t number) noexcept;
    void tellNothing(uint64_t number) noexcept;
    void failOne(uint64_t number) noexcept;
    void note(const Command& command, Failure failure) noexcept;
    void drop(uint64_t number) noexcept;
    void queueAgain(uint64_t number) noexcept;
    void trim() noexcept;

    void lookAt(Order& order) noexcept;
    void unlist(Order& order) noexcept;
    void detach(Order& order) noexcept;

    void* self_;
    void (*onChanged_)(void* self) noexcept;

    // The commands with the numbers from `first_` to `next_`, in a ring whose capacity is a power of two.
    Command* ring_ = nullptr;
    uint64_t capacity_ = 0;
    uint64_t first_ = 1;
    uint64_t next_ = 1;
    uint64_t toSend_ = 1;  // no command before this one is queued,
    uint64_t awaited_ = 1; // no command before this one is sent,
    uint64_t due_ = 1;     // and what is due before this one has been told
    uint64_t found_ = 0;   // the greatest number that a search has found

    size_t counts_[kStates] = {}; // by state, except for those that are settled
    size_t waits_ = 0;            // waits that have been sent
    bool hasQueuedWrites_ = false;

    Buffer bytes_;
    size_t end_ = 0;    // the end of the bytes of commands; what follows is the draft
    uint64_t gone_ = 0; // bytes that preceded those in the buffer
    size_t size_ = 0;   // bytes of what is not settled

    OrderList changed_; // orders whose wish is met
    OrderList thirsty_; // orders that wait until all together have room
    Tally tally_;
};

} // namespace sse
