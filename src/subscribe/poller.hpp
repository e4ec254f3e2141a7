// A poll: a request that is answered with the events after a cursor as JSON, at once or when there is one.
//
// It is a member of the feed of its channels, like a subscriber. But the feed only wakes it. It reads what it
// answers from the log by itself, in slices, up to the end of the log when it took stock. So it has
// everything that was published before it came, and what it leaves is newer than the cursor in its answer.
#pragma once

#include <string_view>

#include "output/batch.hpp"
#include "sse/poll_answer.hpp"
#include "subscribe/append_notice.hpp"
#include "subscribe/reader.hpp"
#include "worker/loop_event.hpp"

namespace sse {

class Poller : public Reader {
public:
    Poller(ngx_http_request_t* request, RequestContext& context) noexcept;

    // After arrive(): answers, now or later. Returns what a content handler returns.
    ngx_int_t run(Tail& tail, const Subscription& subscription) noexcept;

    // What may happen to a reader.
    void onBatch(const BatchRef& batch, bool isLost) noexcept;
    void onTurn() noexcept;
    void onDrain(bool force) noexcept;
    void onKick() noexcept;
    void onRequestEnd() noexcept;

private:
    static void onClient(ngx_http_request_t* request) noexcept;
    static void onTime(ngx_event_t* event) noexcept;

    // What a slice of work has led to.
    enum class Step {
        More, // another slice is to follow
        Wait, // nothing is there
        Over, // the answer is complete, or refused_ is set
    };

    Step begin(Tail& tail, const Subscription& subscription) noexcept;
    void await(Step step) noexcept;
    void stopWaiting() noexcept;
    void finish() noexcept;
    ngx_int_t conclude() noexcept;
    bool close() noexcept;
    ngx_int_t send() noexcept;
    void leave() noexcept;

    // What it reads: poller_read.cpp.
    Step goOn() noexcept;
    Step onLater(Admission why) noexcept;
    bool startReading() noexcept;
    Step readStock() noexcept;
    Step render() noexcept;
    Step onRendered() noexcept;
    Step onNothing() noexcept;
    Step onStockRead() noexcept;
    Step refuseWith(Admission refused) noexcept;
    // Whether there is something to tell.
    bool hasNews() const noexcept { return answer_.events() != 0 || answer_.hasGap(); }
    // Adds to the answer what write(buffer) renders; false without memory.
    template <typename Write>
    bool append(Write&& write) noexcept;
    bool appendText(const BatchRef& part) noexcept;

    BatchRef batch_;        // what has been read
    std::string_view rest_; // the part of it that has not been rendered
    bool atEnd_ = false;    // it is the last of the stock
    PollAnswer answer_;
    BatchRef text_; // the answer as far as it has been rendered
    bool more_ = false;
    bool ended_ = false;
    Admission refused_ = Admission::Ok;
    bool kicked_ = false;

    ngx_msec_t wait_ = 0; // how long it may wait; 0: not at all, or no longer
    LoopEvent timer_;     // runs while it may wait
    bool isWaiting_ = false;
    bool isWoken_ = false; // something has come since stock was taken
};

template <typename Write>
bool Poller::append(Write&& write) noexcept {
    BatchRef part;
    return appendNotice(part, write) && appendText(part);
}

} // namespace sse
