// Lets a test kill a worker in the middle of a change to the log: the directive sse_test_crash_at, which only
// a build with -DSSE_FAULTS has.
#pragma once

#include "conf/config.hpp"
#include "log/fault.hpp"

namespace sse {

#ifdef SSE_FAULTS

// While it lives, this process kills itself at the N-th step of any change to a log, where N is the value of
// sse_test_crash_at for the request; empty or 0: it does not. With "stopN" it stops there until it receives
// SIGCONT, with "pauseN" it sleeps there for 0.3 seconds and with "hangN" for 3.
class FaultScope {
public:
    explicit FaultScope(ngx_http_request_t* r) noexcept;
    ~FaultScope();
    FaultScope(const FaultScope&) = delete;
    FaultScope& operator=(const FaultScope&) = delete;
};

#else

struct FaultScope {
    explicit FaultScope(ngx_http_request_t*) noexcept {}
};

#endif

} // namespace sse
