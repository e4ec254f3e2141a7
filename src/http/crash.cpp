#include "http/crash.hpp"

#ifdef SSE_FAULTS

#include <signal.h>
#include <unistd.h>

namespace sse {

namespace {

ngx_int_t stepsToLive;

} // namespace

CrashScope::CrashScope(ngx_http_request_t* r) noexcept {
    ngx_http_complex_value_t* expression = locationConfig(r)->crashAt;
    ngx_str_t text{};
    if (expression == nullptr || ngx_http_complex_value(r, expression, &text) != NGX_OK) {
        return;
    }
    stepsToLive = ngx_atoi(text.data, text.len);
    if (stepsToLive <= 0) {
        return;
    }
    faultHook = [](const char*) {
        if (--stepsToLive == 0) {
            kill(getpid(), SIGKILL);
        }
    };
}

CrashScope::~CrashScope() {
    faultHook = nullptr;
}

} // namespace sse

#endif
