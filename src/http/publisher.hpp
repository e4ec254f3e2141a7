// A publishing request: turns its body into events while it comes in.
//
//   body pieces --framing--> events --render--> staged bytes --commit, one lock--> the zone's log
//
// All bodies are read unbuffered, so a body may stay open for hours and nothing goes to a temporary file.
#pragma once

#include "config.hpp"
#include "http/context.hpp"
#include "sse/encode.hpp"
#include "sse/parse.hpp"
#include "sse/split.hpp"
#include "worker/leaver.hpp"

namespace sse {

// What a worker that is leaving answers when its zone has been replaced by one of another size.
inline constexpr std::string_view kRetired = "nginx has a new zone, come again";

class Publisher {
public:
    // For a request whose channel has been checked. NULL without memory. The request's cleanups take it
    // apart.
    static Publisher* make(ngx_http_request_t* r, RequestContext& context) noexcept;

    // Evaluates what the directives say of the events; false after a refusal, see refusal().
    bool readFields() noexcept;

    // Reads the body and answers. Returns what the content handler returns.
    ngx_int_t run() noexcept;

    // Sends the refusal: 4xx and why.
    ngx_int_t sendRefusal() noexcept;

private:
    Publisher(ngx_http_request_t* r, RequestContext& context) noexcept;

    static void onBody(ngx_http_request_t* r) noexcept;
    static void onLeave(Leaver& leaver, bool force) noexcept;
    static void onRequestEnd(void* data) noexcept;
    static void onPoolEnd(void* data) noexcept;

    void end(ngx_int_t rc) noexcept;
    ngx_int_t bodyError(ngx_int_t rc) noexcept;
    void unlink() noexcept;
    void readOn() noexcept;
    void waitForMore() noexcept;
    void finish() noexcept;
    ngx_int_t answer() noexcept;
    bool refuseWith(ngx_uint_t status, std::string_view reason) noexcept;
    bool isForeign() const noexcept { return request_ != request_->main || request_->internal; }
    bool isBodyGone() const noexcept;
    bool isStream() const noexcept { return framing_ != Framing::Event; }

    // Framing; false after a refusal.
    bool consume() noexcept;
    bool consumePiece(std::string_view piece) noexcept;
    bool consumeFile(ngx_buf_t& buffer) noexcept;
    bool consumeEnd() noexcept;
    bool addToBody(std::string_view piece) noexcept;
    bool addLine(std::string_view line) noexcept;
    bool check(SplitStatus status) noexcept;
    bool check(ParseStatus status) noexcept;
    bool betweenEvents() const noexcept;

    bool stage(Event event) noexcept;
    bool commit() noexcept;

    Leaver leaver_;
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

    ngx_uint_t refusedStatus_ = 0;
    std::string_view refusedReason_;
    bool atStart_ = true; // where a byte order mark may stand
    bool leaving_ = false;
    bool linked_ = false;
};

} // namespace sse
