// A publishing request: its life, while its body arrives.
//
//   pieces of the body --Intake--> staged events --appendEvents, one lock--> the zone's log
//                                                --BusShare--> the stream that is the zone's log
//
// What the stream has got is known later, so the answer waits until then.
//
// All bodies are read unbuffered, so a body may stay open for hours and nothing goes to a temporary file.
// While it waits for more, a publisher holds no memory except for an incomplete event.
#pragma once

#include "conf/config.hpp"
#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "publish/append_events.hpp"
#include "publish/body_pieces.hpp"
#include "publish/bus_share.hpp"
#include "publish/client_memory.hpp"
#include "publish/intake.hpp"
#include "publish/outcome.hpp"
#include "publish/pace.hpp"
#include "worker/drain.hpp"
#include "worker/loop_event.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class Publisher {
public:
    // For a request whose channel has been checked; see makeForRequest().
    Publisher(ngx_http_request_t* r, RequestContext& context) noexcept;
    void onRequestEnd() noexcept { unlink(); }

    // Evaluates what the directives say about the events, and checks what the head says about the body; false
    // after a refusal.
    bool readHead() noexcept;

    // Reads the body and answers. Returns what the content handler returns.
    ngx_int_t run() noexcept;

    // Sends the refusal: 4xx or 5xx and the reason.
    ngx_int_t sendRefusal() noexcept;

private:
    static void onBody(ngx_http_request_t* r) noexcept;
    static void onDrain(Drainable& drainable, bool force) noexcept;
    static void onAllowed(ngx_event_t* event) noexcept;
    static void onTurn(void* self) noexcept;
    static void onProgress(void* self) noexcept;

    void unlink() noexcept;
    void note(PublishOutcome outcome) noexcept;

    // Reading.
    enum class Progress { Done, Paused, Refused };
    Progress consume() noexcept;
    void readOn() noexcept;
    void goOn() noexcept;
    void waitForMore() noexcept;
    bool hasLength() const noexcept;
    bool mayStopReading() noexcept;
    bool holdMemory() noexcept;

    // Where the events go, and how fast.
    Intake::Owner intakeOwner() noexcept;
    Refusal checkChannel(std::string_view name) const noexcept;
    Refusal take(const StagedEvents& events) noexcept;
    HandedOver append(const StagedEvents& events, const AppendOptions& options) noexcept;
    void countRepairs() noexcept;
    bool mustWait() const noexcept;
    void pause() noexcept;

    // The end.
    void finish() noexcept;
    Refusal finishIntake() noexcept;
    Refusal endChannel() noexcept;
    void conclude() noexcept;
    void stopReading() noexcept;
    void end(ngx_int_t rc) noexcept;
    void concludeBodyError() noexcept;
    ngx_int_t answer() noexcept;
    bool refuseWith(Refusal refusal) noexcept;

    Drainable drainable_;
    ngx_http_request_t* request_;
    const LocationConfig& config_;
    ChannelKey channel_;

    Preconditions preconditions_;
    Refusal preconditionRefusal_; // why they cannot be read
    BodyPieces pieces_;
    Intake intake_;
    ClientMemory memory_; // what the intake holds while the publisher waits
    Pace pace_;
    BusShare bus_;
    Outcome outcome_;

    uint64_t countedRepairs_ = 0; // how many the status already includes
    LoopEvent timer_;             // ends a pause
    Task rest_;                   // takes what is too much for one turn

    Refusal refusal_ = Refusal::None;
    ngx_int_t bodyError_ = NGX_OK; // what nginx has said when it could not read on
    bool isNoted_ = false;         // what has become of it is counted
    bool isDraining_ = false;
    bool isLinked_ = false;
    bool ends_ = false;        // the channel is to end with the body
    bool isWhole_ = false;     // all of the body has been read
    bool isConcluded_ = false; // nothing more is read, and the answer waits for what is on its way
};

} // namespace sse
