// A subscriber: a cursor in the log, and a stream that carries what comes after it.
//
// At the tip (State::Live) it gets the batches of its feed. When it has missed one, because it was blocked or
// is new, it is behind: then it reads the log by itself from its cursor until it is at the tip again. Either
// way an event is sent only if it is newer than the cursor, so none is sent twice or out of order.
#pragma once

#include "output/stream.hpp"
#include "subscribe/heartbeat.hpp"
#include "subscribe/reader.hpp"

namespace sse {

class Subscriber : public Reader {
public:
    Subscriber(ngx_http_request_t* request, RequestContext& context) noexcept;

    // Makes a subscriber for a request. NULL without memory.
    static Subscriber* make(ngx_http_request_t* request, RequestContext& context) noexcept;

    // After arrive(): joins the feed and finds the place to begin; nothing is sent yet. If the result is not
    // Ok, it has left the feed again.
    Admission admit(Tail& tail, const Subscription& subscription) noexcept;

    // Where it begins: a reader with this cursor gets the same events. false if the way back is long and the
    // seek has not ended.
    bool startPosition(EventId& position) const noexcept;

    // Sends the first bytes and what is available. false: the stream has ended already, see conclude().
    [[nodiscard]] bool start() noexcept;

    // nginx's handler for what the client sends; only the end of the client matters.
    static void onRead(ngx_http_request_t* request) noexcept;

    // Leaves the feed without sending anything: for another answer, or a HEAD.
    void abandon(CloseReason reason) noexcept;

    // Leaves the feed; returns what the request is to be finalized with.
    ngx_int_t conclude() noexcept;

    // What may happen to a reader.
    void onBatch(const BatchRef& batch, bool isLost) noexcept;
    void onTurn() noexcept;
    void onDrain(bool force) noexcept;
    void onKick() noexcept;
    void onRequestEnd() noexcept;

private:
    static void onWrite(ngx_http_request_t* request) noexcept;
    static void onBeat(Beat& beat, const BatchRef& text) noexcept;
    void beat(const BatchRef& text) noexcept;
    void watchClient() noexcept;

    Admission joinAndSeek(Tail& tail, const Subscription& subscription) noexcept;
    Admission seekStart() noexcept;
    [[nodiscard]] bool goOn() noexcept;
    [[nodiscard]] bool resume() noexcept;
    [[nodiscard]] bool send(BatchRef batch, Way way = Way::Replay) noexcept;
    [[nodiscard]] bool check(Stream::Status status) noexcept;
    bool fail(CloseReason reason, ngx_int_t code) noexcept;
    void logEnd(ngx_err_t error, const char* why) const noexcept;
    void noteGiven(EventId last) noexcept;
    void defer(const BatchRef& batch) const noexcept;
    void close() noexcept;
    void leave() noexcept;
    void fallBehind() noexcept;
    void schedule() noexcept;

    // The end: ending.cpp.
    [[nodiscard]] bool endIfOver() noexcept;
    [[nodiscard]] bool sendEnd() noexcept;
    [[nodiscard]] bool end(bool force) noexcept;
    void cut() noexcept;
    void limitTime() noexcept;
    void setDeadline(ngx_msec_t time) noexcept;
    ngx_msec_t timeToExpiry() const noexcept;
    static void onDeadline(ngx_event_t* event) noexcept;
    [[nodiscard]] bool onTimeUp() noexcept;
    [[nodiscard]] bool warn() noexcept;

    // What it reads by itself: catching_up.cpp.
    enum class Reading {
        More,
        AtTip,
        Over,
        NoMemory,
        Later, // the zone is not filled yet, or its lock is not available
    };
    Reading readOn(BatchRef& out) noexcept;
    bool isAhead() const noexcept;
    Reading startReading(BatchRef& out) noexcept;

    bool addPreamble(BatchRef& out) noexcept;
    bool addPrime(BatchRef& out) noexcept;
    bool addGap(BatchRef& out) noexcept;
    bool addCaughtUp(BatchRef& out) noexcept;
    bool addExpired(BatchRef& out) noexcept;
    bool addEnd(BatchRef& out) noexcept;

    enum class State : uint8_t {
        Behind, // reads the log by itself
        Live,   // is at the tip
        Ending, // ends as soon as it is not blocked
    };
    // What is due when its time is up.
    enum class TimeLimit : uint8_t {
        Lifetime, // its end, by sse_lifetime
        Warning,  // its client is to be told that its access expires
        Expiry,   // its end, because it has expired
        Kick,     // its end, even if it is blocked
    };

    // What a delivery reads first comes first, see Stream.
    Beat beat_{};
    State state_ = State::Behind;
    bool begun_ = false;    // the first bytes have been sent
    bool primed_ = false;   // its client has an id to come back with
    bool caughtUp_ = false; // its client has been told so, if it is to be told
    bool owesEnd_ = false;  // its client is to be told that its channels have ended
    uint64_t events_ = 0;   // see noteGiven()
    Heartbeat* heartbeat_ = nullptr;
    Stream stream_{};

    ngx_int_t closeCode_ = NGX_OK;
    uint32_t retry_ = 0;    // milliseconds
    bool padded_ = false;   // its first bytes are padded
    bool isTimeUp_ = false; // its time is up, and it waits for its turn
    TimeLimit timeLimit_ = TimeLimit::Lifetime;
    uint64_t expires_ = 0;   // seconds since 1970; 0: never
    ngx_event_t deadline_{}; // its timer is set while the time is limited
};

} // namespace sse
