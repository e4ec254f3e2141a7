// A publishing request: its life, while its body arrives.
//
//   pieces of the body --Intake--> staged events --appendEvents, one lock--> the zone's log
//
// All bodies are read unbuffered, so a body may stay open for hours and nothing goes to a temporary file.
// While it waits for more, a publisher holds no memory except for an incomplete event.
#pragma once

#include "conf/config.hpp"
#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "publish/append_events.hpp"
#include "publish/body_pieces.hpp"
#include "publish/client_memory.hpp"
#include "publish/intake.hpp"
#include "sse/json.hpp"
#include "sse/publisher_id.hpp"
#include "worker/drain.hpp"
#include "worker/loop_event.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class Publisher {
public:
    // For a request whose channel has been checked. NULL without memory. The request's cleanups destroy it.
    static Publisher* make(ngx_http_request_t* r, RequestContext& context) noexcept;

    // Evaluates what the directives say about the events, and checks what the head says about the body; false
    // after a refusal.
    bool readHead() noexcept;

    // Reads the body and answers. Returns what the content handler returns.
    ngx_int_t run() noexcept;

    // Sends the refusal: 4xx or 5xx and the reason.
    ngx_int_t sendRefusal() noexcept;

private:
    Publisher(ngx_http_request_t* r, RequestContext& context) noexcept;

    static void onBody(ngx_http_request_t* r) noexcept;
    static void onDrain(Drainable& drainable, bool force) noexcept;
    static void onAllowed(ngx_event_t* event) noexcept;
    static void onTurn(void* self) noexcept;
    static void onRequestEnd(void* data) noexcept;
    static void onPoolEnd(void* data) noexcept;

    void unlink() noexcept;

    // Reading.
    enum class Progress { Done, Paused, Refused };
    Progress consume() noexcept;
    void readOn() noexcept;
    void goOn() noexcept;
    void waitForMore() noexcept;
    bool hasLength() const noexcept;
    bool mayStopReading() noexcept;
    bool holdMemory() noexcept;

    // Into the log, and how fast.
    Intake::Owner intakeOwner() noexcept;
    Refusal checkChannel(std::string_view name) const noexcept;
    Refusal append(const StagedEvents& events) noexcept;
    Refusal note(const AppendedEvents& appended) noexcept;
    void spend(size_t bytes) noexcept;
    void countRepairs() noexcept;
    void pay(uint64_t events) noexcept;
    ngx_msec_t overdrawn() const noexcept;
    size_t mostBytes() const noexcept;
    void pause() noexcept;
    void stopClock() noexcept;
    void restartBodyTimeout() noexcept;

    // The end.
    void finish() noexcept;
    Refusal finishIntake() noexcept;
    Refusal endChannel() noexcept;
    void end(ngx_int_t rc) noexcept;
    void endRefused() noexcept { end(sendRefusal()); }
    ngx_int_t answerBodyError() noexcept;
    ngx_int_t answer() noexcept;
    void writeId(JsonWriter& json) const noexcept;
    bool refuseWith(Refusal refusal) noexcept;

    Drainable drainable_;
    ngx_http_request_t* request_;
    const LocationConfig& config_;
    RequestContext& context_;
    ChannelKey channel_;

    Preconditions preconditions_;
    Refusal preconditionRefusal_; // why they cannot be read
    BodyPieces pieces_;
    Intake intake_;
    ClientMemory memory_;                    // what the intake holds while the publisher waits
    PublisherId lastPublisherId_;            // of the last event appended
    ShortText<kMaxChannelName> lastChannel_; // and its channel

    uint64_t countedRepairs_ = 0; // how many the status already includes
    uint64_t paidUntil_ = 0;      // nanoseconds of nginx's clock: up to then sse_max_rate is used up
    LoopEvent timer_;             // ends a pause
    Task rest_;                   // takes what is too much for one turn
    size_t slice_ = 0;            // bytes that may still be taken in this one

    Refusal refusal_ = Refusal::None;
    Verdict verdict_;              // of the preconditions
    ngx_int_t bodyError_ = NGX_OK; // what nginx has said when it could not read on
    bool draining_ = false;
    bool linked_ = false;
    bool ends_ = false;     // the channel is to end with the body
    bool isWhole_ = false;  // all of the body has been read
    bool hasEnded_ = false; // `lastChannel_`
};

} // namespace sse
