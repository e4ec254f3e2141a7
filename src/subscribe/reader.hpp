// A reader: what a stream and a poll have in common. It is a member of the feed of its channels, and reads
// the log by itself from its cursor. Until it leaves, it is counted, it is a guest, and it must end when its
// worker leaves.
#pragma once

#include <span>
#include <string_view>

#include "conf/config.hpp"
#include "counters/counts.hpp"
#include "fanout/tail.hpp"
#include "http/request_context.hpp"
#include "subscribe/admission.hpp"
#include "subscribe/catchup.hpp"
#include "worker/drain.hpp"
#include "worker/guests.hpp"
#include "worker/work_queue.hpp"

namespace sse {

// What a client subscribes to.
struct Subscription {
    std::span<const std::string_view> channels; // distinct names
    Beginning from;
    uint64_t expires = 0;  // seconds since 1970; 0: never
    std::string_view key;  // to whom it belongs; empty: it has no key
    bool isPadded = false; // its stream is to begin with padding
    bool isPoll = false;   // it is to be answered in one piece, not by a stream
    ngx_msec_t wait = 0;   // how long such an answer may wait for an event
};

class Reader {
public:
    // Becomes a guest, unless it has been kicked or a limit has been reached. If it is refused, it has left
    // nothing behind.
    Refusal arrive(const Subscription& subscription) noexcept;

protected:
    // `self` is this object. Its class has a function for everything that may happen to a reader; each may
    // end this reader, and any other:
    //
    //   onBatch(batch, isLost)  see Member::deliver
    //   onTurn()                see Task::run
    //   onDrain(force)          see Drainable::drain
    //   onKick()                see Guest::kick
    template <typename T>
    Reader(T* self, SubscriberKind kind, ngx_http_request_t* r, RequestContext& context) noexcept;

    // Joins the feed, and finds out where to begin. If the result is Ok, the reader has its place, or has a
    // stock in which to seek it, or waits until the zone is filled. Whatever the result is, it must leave().
    Admission join(Tail& tail, const Subscription& subscription) noexcept;
    bool isMember() const noexcept { return member_.feed != nullptr; }
    // The reader is served: it counts as open.
    void countOpen() noexcept;
    // After that nothing knows it any more.
    void leave() noexcept;

    // Takes stock of the channels. Locked, Unfilled: to be tried again, see Tail::readWhenPossible().
    Admission takeStock() noexcept;
    void closeCatchup() noexcept;

    // If several are noted, the first one counts.
    void noteReason(CloseReason reason) noexcept;
    ZoneCounters& counters() const noexcept { return *config_->zone->counters; }

    ngx_http_request_t* request_;
    RequestContext* context_;
    const LocationConfig* config_;
    SubscriberKind kind_;
    bool isCounted_ = false;
    Task task_{};
    Drainable drainable_{};
    Guest guest_{};

    // Where it begins.
    bool isPlaced_ = false; // that is decided, and cursor_ is a place in this log
    Beginning::Kind beginning_ = Beginning::Kind::Cursor; // what becomes of cursor_ when stock is taken
    std::string_view requested_; // the cursor as sent, until the client has been told what it has missed
    History history_;            // limits only the first catching up
    Catchup* catchup_ = nullptr; // its stock, while it reads

    // The members that a delivery reads come last, and go on in the derived class.
    Member member_{};
    EventId cursor_{}; // all events of the feed up to this have been read

private:
    template <typename T>
    static T& of(Member& member) noexcept {
        auto* place = reinterpret_cast<u_char*>(&member) - offsetof(Reader, member_);
        return static_cast<T&>(*reinterpret_cast<Reader*>(place));
    }
    template <typename T>
    static T& of(Guest& guest) noexcept {
        auto* place = reinterpret_cast<u_char*>(&guest) - offsetof(Reader, guest_);
        return static_cast<T&>(*reinterpret_cast<Reader*>(place));
    }
    template <typename T>
    static T& of(void* owner) noexcept {
        return static_cast<T&>(*static_cast<Reader*>(owner));
    }
};

template <typename T>
Reader::Reader(T*, SubscriberKind kind, ngx_http_request_t* r, RequestContext& context) noexcept
    : request_(r), context_(&context), config_(locationConfig(r)), kind_(kind) {
    member_.deliver = [](Member& member, const BatchRef& batch, bool isLost) noexcept {
        of<T>(member).onBatch(batch, isLost);
    };
    member_.firstRead = this;
    task_.owner = this;
    task_.run = [](void* owner) noexcept { of<T>(owner).onTurn(); };
    drainable_.owner = this;
    drainable_.drain = [](Drainable& drainable, bool force) noexcept {
        of<T>(drainable.owner).onDrain(force);
    };
    guest_.kick = [](Guest& guest) noexcept { of<T>(guest).onKick(); };
}

} // namespace sse
