// A subscriber: a cursor in the log, and a stream that carries what comes after it.
//
// At the tip (`live_`) it gets the batches of its feed. When it has missed one, because it was blocked or is
// new, it is behind: then it reads the log for itself from its cursor until it is at the tip again. Either
// way an event is sent only if it is newer than the cursor, so none is sent twice or out of order.
#pragma once

#include "conf/config.hpp"
#include "fanout/tail.hpp"
#include "http/request_context.hpp"
#include "output/stream.hpp"
#include "subscribe/admission.hpp"
#include "subscribe/catchup.hpp"
#include "subscribe/heartbeat.hpp"
#include "worker/drain.hpp"
#include "worker/guests.hpp"
#include "worker/work_queue.hpp"

namespace sse {

// What a client subscribes to.
struct Subscription {
    std::span<const std::string_view> channels; // distinct names
    Beginning from;
    uint64_t expires = 0;  // seconds since 1970; 0: never
    std::string_view key;  // whose it is; empty: nobody's
    bool isPadded = false; // its stream is to begin with padding
    bool isPoll = false;   // it is to be answered in one piece, not by a stream
    ngx_msec_t wait = 0;   // how long such an answer may wait for an event
};

class Subscriber {
public:
    // Makes a subscriber for a request, whose cleanups destroy it. NULL without memory.
    static Subscriber* make(ngx_http_request_t* request, RequestContext& context) noexcept;

    // Comes to the door: whether it has been kicked, and how many there may be. If it is refused, it has
    // left nothing behind; otherwise admit() follows.
    Refusal arrive(const Subscription& subscription) noexcept;

    // Joins the feed and finds the place to begin; nothing is sent yet. If the result is not Ok, the feed has
    // been left again.
    Admission admit(Tail& tail, const Subscription& subscription) noexcept;

    // Where it begins: a reader with this cursor gets the same. false if the way back is long and the seek
    // has not ended.
    bool startPosition(EventId& position) const noexcept;

    // Sends the first bytes and what is available. false: the stream has ended already, see conclude().
    [[nodiscard]] bool start() noexcept;

    // nginx's handler for what the client sends, of which only its end matters.
    static void onRead(ngx_http_request_t* request) noexcept;

    // Leaves the feed without sending anything: for another answer, or a HEAD.
    void abandon(CloseReason reason) noexcept;

    // Leaves the feed; returns what the request is to be finalized with.
    ngx_int_t conclude() noexcept;

private:
    static void onWrite(ngx_http_request_t* request) noexcept;
    static void onDelivery(Member& member, const BatchRef& batch, bool isLost) noexcept;
    void deliver(const BatchRef& batch, bool isLost) noexcept;
    static void onTurn(void* self) noexcept;
    static void onBeat(Beat& beat, const BatchRef& text) noexcept;
    void beat(const BatchRef& text) noexcept;
    void watchClient() noexcept;
    static void onDrain(Drainable& drainable, bool force) noexcept;
    static void onKick(Guest& guest) noexcept;
    void end(bool force) noexcept;
    static void onRequestEnd(void* data) noexcept;
    static void onPoolEnd(void* data) noexcept;

    Admission join(Tail& tail, const Subscription& subscription) noexcept;
    Admission seekStart() noexcept;
    [[nodiscard]] bool goOn() noexcept;
    [[nodiscard]] bool resume() noexcept;
    [[nodiscard]] bool send(BatchRef batch, Way way = Way::Replay) noexcept;
    [[nodiscard]] bool check(Stream::Status status) noexcept;
    [[nodiscard]] bool endIfOver() noexcept;
    [[nodiscard]] bool sendEnd() noexcept;
    void limitTime() noexcept;
    void setDeadline(ngx_msec_t time) noexcept;
    ngx_msec_t timeToExpiry() const noexcept;
    static void onDeadline(ngx_event_t* event) noexcept;
    void expire() noexcept;
    [[nodiscard]] bool warn() noexcept;
    void cut() noexcept;
    bool fail(CloseReason reason, ngx_int_t code) noexcept;
    void noteReason(CloseReason reason) noexcept;
    void logEnd(ngx_err_t error, const char* why) const noexcept;
    void noteGiven(EventId last) noexcept;
    void defer(const BatchRef& batch) const noexcept;
    ZoneCounters& counters() const noexcept { return *config_->zone->counters; }
    void close() noexcept;
    void detach() noexcept;
    void fallBehind() noexcept;
    void schedule() noexcept;

    enum class Reading {
        More,
        AtTip,
        Over,
        NoMemory,
        Later, // the zone is not filled yet, or its lock is not to be had
    };
    Reading readOn(BatchRef& out) noexcept;
    Reading takeStock() noexcept;
    bool isAhead() const noexcept;
    Reading startReading(BatchRef& out) noexcept;
    void closeCatchup() noexcept;

    bool addPreamble(BatchRef& out) noexcept;
    bool addPrime(BatchRef& out) noexcept;
    bool addGap(BatchRef& out) noexcept;
    bool addCaughtUp(BatchRef& out) noexcept;
    bool addExpired(BatchRef& out) noexcept;
    bool addEnd(BatchRef& out) noexcept;

    // What a delivery reads first comes first, see Stream.
    Member member_;
    Beat beat_;
    EventId cursor_; // everything of the feed up to this has been sent
    bool live_;
    bool begun_;      // the first bytes have been sent
    bool primed_;     // its client has an id to come back with
    bool ending_;     // ends as soon as it is not blocked
    bool owesEnd_;    // and is to be told that its channels have ended
    bool caughtUp_;   // it has been told so, if it is to be
    bool expiring_;   // what limits its time is sse_expires
    bool warned_;     // it has been told so
    bool kicked_;     // and its time is over even if it is blocked
    bool counted_;    // as one that is open
    uint64_t events_; // see noteGiven()
    Heartbeat* heartbeat_;
    Stream stream_;

    Task catchUp_; // while behind and not blocked
    Drainable drainable_;
    Guest guest_;
    const LocationConfig* config_;
    RequestContext* context_;
    Beginning::Kind beginning_;  // what becomes of cursor_ when stock is taken for the first time
    std::string_view requested_; // until the first gap has been reported
    Catchup* catchup_;           // while behind
    History history_;            // limits only the first catching up
    ngx_int_t closeCode_;
    uint32_t retry_;       // milliseconds
    bool padded_;          // its first bytes are
    uint64_t expires_;     // seconds since 1970; 0: never
    ngx_event_t deadline_; // its timer is set while the time is limited
};

} // namespace sse
