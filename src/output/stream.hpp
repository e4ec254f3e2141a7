// What carries a subscriber's bytes: nginx's filter chain or, if no filter has a part in the response, the
// connection itself.
//
// The header and the first bytes always go through the chain. By then every filter has shown whether it wants
// to change the response, and it is decided which way the rest goes. The end goes through the chain again.
//
// A stream has at most one batch in flight and keeps no queue; what arrives while it is blocked is read from
// the log later. The rest of the module knows nginx's output only through these few calls.
#pragma once

#include "ngx.hpp"
#include "output/batch.hpp"

namespace sse {

class Stream {
public:
    enum class Status {
        Sent,    // all bytes are with the kernel
        Blocked, // some are not: the write handler will be called, then call flush()
        Failed,  // the connection is gone
    };

    void open(ngx_http_request_t* request, ngx_msec_t sendTimeout) noexcept;

    // From here on a client that acknowledges nothing for the send timeout is closed.
    void limitSilence() noexcept { setSilenceLimit(sendTimeout_); }

    // Sends a batch and keeps it until all of it is sent. Only while not blocked.
    Status send(BatchRef batch) noexcept;

    // Continues with what is in flight, if there is anything.
    Status flush() noexcept;

    bool blocked() const noexcept { return way_ == Way::Direct ? !rest_.empty() : blockedInChain(); }

    // Ends the response: the last chunk, END_STREAM or the end of the connection. Returns what to finalize
    // with.
    ngx_int_t finish() noexcept;

    // Before a request is finalized with bytes in flight, which are then lost: also ends an HTTP/2 connection
    // that has stood still.
    void giveUp() noexcept;

    ngx_http_request_t* request() const noexcept { return request_; }
    ngx_connection_t* connection() const noexcept { return connection_; }

private:
    enum class Way : uint8_t { Undecided, Chain, Direct };

    Status sendChain() noexcept;
    Status sendRest() noexcept;
    Status push(ngx_chain_t* chain) noexcept;
    bool blockedInChain() const noexcept;
    Status settle(ngx_int_t rc) noexcept;
    Status wait() noexcept;
    Status through() noexcept;
    void stopWaiting() noexcept;
    void decideWay() noexcept;
    void watchProgress() noexcept;
    void setSilenceLimit(ngx_msec_t limit) noexcept;

    // What a direct send reads comes first: it happens for one subscriber after another, and every cache line
    // counts.
    ngx_connection_t* connection_;
    BatchRef batch_;
    std::string_view rest_; // when direct: what the kernel has not yet taken of the batch
    Way way_;
    bool chunked_;

    ngx_http_request_t* request_;
    ngx_msec_t sendTimeout_;
    // What stream and connection had sent when the timer was set: the timer counts from the last progress.
    off_t sentBefore_;
    off_t transportSentBefore_;
    // For sending through the chain.
    ngx_buf_t buffer_;
    ngx_chain_t link_;
};

} // namespace sse
