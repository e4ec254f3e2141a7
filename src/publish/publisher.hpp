// A publishing request: turns its body into events while it comes in.
//
//   body pieces --framing--> events --render--> staged bytes --commit, one lock--> the zone's log
//
// All bodies are read unbuffered, so a body may stay open for hours and nothing goes to a temporary file.
// While it waits for more, a publisher holds no memory but that of an incomplete event.
#pragma once

#include "conf/config.hpp"
#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "publish/client_memory.hpp"
#include "sse/encode.hpp"
#include "sse/parse.hpp"
#include "sse/split.hpp"
#include "worker/drain.hpp"
#include "worker/loop_event.hpp"

namespace sse {

class Publisher {
public:
    // For a request whose channel has been checked. NULL without memory. The request's cleanups take it
    // apart.
    static Publisher* make(ngx_http_request_t* r, RequestContext& context) noexcept;

    // Evaluates what the directives say of the events, and checks what the head says of the body; false after
    // a refusal.
    bool readHead() noexcept;

    // Reads the body and answers. Returns what the content handler returns.
    ngx_int_t run() noexcept;

    // Sends the refusal: 4xx and why.
    ngx_int_t sendRefusal() noexcept;

private:
    Publisher(ngx_http_request_t* r, RequestContext& context) noexcept;

    static void onBody(ngx_http_request_t* r) noexcept;
    static void onDrain(Drainable& drainable, bool force) noexcept;
    static void onAllowed(ngx_event_t* event) noexcept;
    static void onRequestEnd(void* data) noexcept;
    static void onPoolEnd(void* data) noexcept;

    void end(ngx_int_t rc) noexcept;
    void endRefused() noexcept { end(sendRefusal()); }
    ngx_int_t bodyError(ngx_int_t rc) noexcept;
    void unlink() noexcept;
    void readOn() noexcept;
    void waitForMore() noexcept;
    void pause() noexcept;
    void stopClock() noexcept;
    void restartBodyTimeout() noexcept;
    void finish() noexcept;
    ngx_int_t answer() noexcept;
    bool refuseWith(Refusal refusal) noexcept;

    // The head of the request; false after a refusal.
    bool readType() noexcept;
    bool readId() noexcept;
    bool readRetry() noexcept;
    bool checkBody() noexcept;
    bool mayHaveType(std::string_view type) noexcept;

    // Whether the request is not as its client has sent it: a subrequest, or after a redirect inside nginx.
    // What the client says of events must not count then: nobody has meant it for us.
    bool isForeign() const noexcept { return request_ != request_->main || request_->internal; }
    bool isStream() const noexcept { return framing_ != Framing::Event; }
    bool hasLength() const noexcept;
    bool mayStopReading() noexcept;
    bool holdMemory() noexcept;

    // Framing; false after a refusal.
    enum class Progress { Done, Paused, Refused };
    Progress consume() noexcept;
    bool allTaken() noexcept;
    bool nextPiece(Buffer& block, std::string_view& piece) noexcept;
    bool consumePiece(std::string_view piece) noexcept;
    bool consumeEnd() noexcept;
    bool frameEnd() noexcept;
    bool addToBody(std::string_view piece) noexcept;
    bool addLine(std::string_view line) noexcept;
    bool addRepaired(std::string_view line) noexcept;
    bool addEvent(std::string_view data) noexcept;
    bool check(SplitStatus status) noexcept;
    bool check(ParseStatus status) noexcept;
    bool betweenEvents() const noexcept;

    bool stage(Event event) noexcept;
    bool commit() noexcept;
    void countRepairs() noexcept;
    void pay(uint64_t events) noexcept;
    ngx_msec_t overdrawn() const noexcept;
    size_t mostBytes() const noexcept;

    Drainable drainable_;
    ngx_http_request_t* request_;
    const LocationConfig& config_;
    RequestContext& context_;
    std::string_view channel_;
    uint64_t hash_;
    Framing framing_;

    Event defaults_; // type, own id and retry as the directives say
    Buffer body_;    // of an `event` framing
    LineSplitter lines_;
    EventParser parser_;
    Buffer staged_; // rendered, and not yet in the log
    Buffer lastOwnId_;
    ClientMemory memory_; // what all of these take while the publisher waits

    // What has been read and not yet been taken: from there in that buffer on.
    ngx_chain_t* link_ = nullptr;
    off_t offset_ = 0;
    bool inBuffers_ = false;

    bool repairs_;                // what is not UTF-8
    uint64_t repaired_ = 0;       // sequences in lines, and
    uint64_t countedRepairs_ = 0; // how many of all are in the status already
    uint64_t maxEvents_;          // of this request; 0: any number
    uint64_t accepted_ = 0;       // staged or committed
    uint64_t paidUntil_ = 0;      // nanoseconds of nginx's clock: up to then sse_max_rate is used up
    LoopEvent timer_;             // ends a pause

    Refusal refusal_ = Refusal::None;
    bool leaving_ = false;
    bool linked_ = false;
};

} // namespace sse
