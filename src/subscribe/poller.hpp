// A poll: a request that is answered with the events after a cursor as JSON, at once or when there is one.
//
// It is a member of the feed of its channels, like a subscriber. But the feed only wakes it: what it answers
// it reads from the log for itself, in slices, up to where the log was when it took stock. So it has whatever
// was published before it came, and what it leaves is newer than the cursor that it answers.
#pragma once

#include <string_view>

#include "conf/config.hpp"
#include "http/request_context.hpp"
#include "output/batch.hpp"
#include "sse/poll_answer.hpp"
#include "subscribe/admission.hpp"
#include "subscribe/subscriber.hpp"
#include "worker/drain.hpp"
#include "worker/guests.hpp"
#include "worker/loop_event.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class Poller {
public:
    // Makes a poller for a request, whose cleanups destroy it. NULL without memory.
    static Poller* make(ngx_http_request_t* request, RequestContext& context) noexcept;

    // Comes to the door: see Subscriber::arrive().
    Refusal arrive(const Subscription& subscription) noexcept;

    // Answers, now or later. Returns what a content handler returns.
    ngx_int_t run(Tail& tail, const Subscription& subscription) noexcept;

private:
    Poller(ngx_http_request_t* request, RequestContext& context) noexcept;

    static void onRead(ngx_http_request_t* request) noexcept;
    static void onDelivery(Member& member, const BatchRef& batch, bool isLost) noexcept;
    static void onTurn(void* self) noexcept;
    static void onTime(ngx_event_t* event) noexcept;
    static void onDrain(Drainable& drainable, bool force) noexcept;
    static void onKick(Guest& guest) noexcept;
    static void onRequestEnd(void* data) noexcept;
    static void onPoolEnd(void* data) noexcept;

    // What a slice of work has led to.
    enum class Step {
        More, // another slice is to follow
        Wait, // nothing is there
        Over, // the answer, or refused_, is there
    };

    Admission join(Tail& tail, const Subscription& subscription) noexcept;
    Step goOn() noexcept;
    Step takeStock() noexcept;
    Step onLater(Admission why) noexcept;
    void stopWaiting() noexcept;
    bool begin() noexcept;
    Step readStock() noexcept;
    Step render() noexcept;
    Step onRendered() noexcept;
    Step onNothing() noexcept;
    Step onStockRead() noexcept;
    Step refuseWith(Admission refused) noexcept;
    // Whether there is something to tell.
    bool hasNews() const noexcept { return answer_.events() != 0 || answer_.hasGap(); }
    void await(Step step) noexcept;
    void deliver(const BatchRef& batch, bool isLost) noexcept;

    template <typename Write>
    bool append(Write&& write) noexcept;
    bool close() noexcept;
    ngx_int_t conclude() noexcept;
    ngx_int_t send() noexcept;
    void finish() noexcept;
    void leave() noexcept;
    void closeCatchup() noexcept;
    void noteReason(CloseReason reason) noexcept;
    ZoneCounters& counters() const noexcept { return *config_->zone->counters; }

    ngx_http_request_t* request_;
    RequestContext* context_;
    const LocationConfig* config_;
    Member member_;
    Task task_; // while there is something to read
    Drainable drainable_{};
    Guest guest_;
    LoopEvent timer_; // while it may wait

    // Where it is in the log.
    EventId cursor_;
    Beginning::Kind beginning_ = Beginning::Kind::Cursor; // until stock has been taken
    std::string_view requested_; // the cursor as sent, until it is known what it means
    History history_;            // limits only the first catching up
    Catchup* catchup_ = nullptr; // its stock, while it reads
    bool begun_ = false;         // it has been admitted, and cursor_ is a place in this log
    bool atEnd_ = false;         // batch_ is the last of the stock

    // What becomes of it.
    BatchRef batch_;        // what has been read
    std::string_view rest_; // what has not been rendered of it
    PollAnswer answer_;
    BatchRef text_; // the answer as far as it has been rendered
    bool more_ = false;
    bool ended_ = false;
    Admission refused_ = Admission::Ok;
    bool kicked_ = false;
    bool counted_ = false; // as one that is open

    ngx_msec_t wait_ = 0; // how long it may wait; 0: not or no longer
    bool isWaiting_ = false;
    bool isWoken_ = false; // something has come since stock was taken
};

} // namespace sse
