#include "http/fault_scope.hpp"

#ifdef SSE_FAULTS

#include <signal.h>
#include <unistd.h>

namespace sse {

namespace {

ngx_int_t stepsToLive;
int signalToSend;

} // namespace

FaultScope::FaultScope(ngx_http_request_t* r) noexcept {
    ngx_http_complex_value_t* expression = locationConfig(r)->crashAt;
    ngx_str_t text{};
    if (expression == nullptr || ngx_http_complex_value(r, expression, &text) != NGX_OK) {
        return;
    }
    constexpr std::string_view kStop = "stop";
    bool stops = toView(text).starts_with(kStop);
    ngx_str_t steps = stops ? ngxString(dropFirst(toView(text), kStop.size())) : text;
    stepsToLive = ngx_atoi(steps.data, steps.len);
    signalToSend = stops ? SIGSTOP : SIGKILL;
    if (stepsToLive <= 0) {
        return;
    }
    faultHook = [](const char*) noexcept {
        if (--stepsToLive == 0) {
            kill(getpid(), signalToSend);
        }
    };
}

FaultScope::~FaultScope() {
    faultHook = nullptr;
}

} // namespace sse

#endif
