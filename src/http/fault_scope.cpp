#include "http/fault_scope.hpp"

#ifdef SSE_FAULTS

#include <algorithm>
#include <iterator>

#include <signal.h>
#include <unistd.h>

namespace sse {

namespace {

ngx_int_t stepsToGo;
void (*act)() noexcept;

struct Action {
    std::string_view name;
    void (*run)() noexcept;
};

constexpr Action kActions[] = {
    {"stop", []() noexcept { kill(getpid(), SIGSTOP); }},
    {"pause", []() noexcept { ngx_msleep(300); }},
    {"hang", []() noexcept { ngx_msleep(3000); }},
    {"", []() noexcept { kill(getpid(), SIGKILL); }},
};

} // namespace

FaultScope::FaultScope(ngx_http_request_t* r) noexcept {
    ngx_http_complex_value_t* expression = locationConfig(r)->crashAt;
    ngx_str_t text{};
    if (expression == nullptr || ngx_http_complex_value(r, expression, &text) != NGX_OK) {
        return;
    }
    const Action& action =
        *std::find_if(std::begin(kActions), std::end(kActions),
                      [&text](const Action& each) { return toView(text).starts_with(each.name); });
    const ngx_str_t steps = ngxString(dropFirst(toView(text), action.name.size()));
    stepsToGo = ngx_atoi(steps.data, steps.len);
    act = action.run;
    if (stepsToGo <= 0) {
        return;
    }
    faultHook = [](const char* place) noexcept {
        if (--stepsToGo == 0) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "sse: fault at \"%s\"", place);
            act();
        }
    };
}

FaultScope::~FaultScope() {
    faultHook = nullptr;
}

} // namespace sse

#endif
