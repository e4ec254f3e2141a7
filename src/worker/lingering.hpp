// Closes connections that nginx keeps open after our requests on them have ended.
//
// nginx lingers: it reads what a client still sends, so that the kernel does not discard an answer that the
// client has not read yet. That may take half a minute, which is too long for a worker that must leave.
#pragma once

#include "worker/loop_event.hpp"

namespace sse {

class Lingering {
public:
    void init() noexcept;

    // Watches the connection of a request of ours that ends, until it is closed.
    void watch(ngx_http_request_t* request) noexcept;

    // After that time connections that only linger are closed: the worker leaves, and its streams have ended
    // by then.
    void closeAfter(ngx_msec_t milliseconds) noexcept { timer_.wait(milliseconds); }

private:
    // Lives in the pool of the request, or of the connection if that has many requests.
    struct Watched {
        ngx_queue_t link;
        ngx_connection_t* connection;
        ngx_http_request_t* request; // NULL with HTTP/2
        int unacknowledged;          // at the last check: bytes, -1 before the first
        ngx_msec_t since;            // when it was found to linger, or its client last took something

        bool lingers() const noexcept;
        bool isDue() noexcept;
    };

    static void forget(void* data) noexcept;
    void look() noexcept;

    ngx_queue_t watched_{};
    LoopEvent timer_;
};

} // namespace sse
