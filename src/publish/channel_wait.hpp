// A GET of a channel that waits for subscribers: until there are none, and a producer can stop, or until
// there are some, and it can begin.
//
// No request is woken when the number of subscribers changes, so it is looked at from time to time.
#pragma once

#include <optional>

#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "log/log.hpp"
#include "worker/drain.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class ChannelWait {
public:
    struct Wish {
        ngx_msec_t time = 0;      // milliseconds; 0: do not wait
        uint32_t subscribers = 0; // at least this many; 0: none

        bool isMetBy(const ChannelState& state) const noexcept {
            return subscribers == 0 ? state.subscribers == 0 : state.subscribers >= subscribers;
        }
    };
    // What the arguments `wait` (seconds) and `subscribers` ask for. Returns why the request is refused.
    static Refusal read(ngx_http_request_t* r, Wish& wish) noexcept;

    // Answers with what `answer` returns: now, or when the wish is met or its time is over. Refuses when the
    // worker leaves before that, or has no lock in the end. Returns what the content handler returns.
    using Answer = ngx_int_t (*)(ngx_http_request_t* r, RequestContext& context,
                                 const ChannelState& state) noexcept;
    static ngx_int_t run(ngx_http_request_t* r, RequestContext& context, const Wish& wish,
                         Answer answer) noexcept;

    ChannelWait(ngx_http_request_t* r, RequestContext& context, const Wish& wish, Answer answer) noexcept;
    void onRequestEnd() noexcept { leave(); }

private:
    bool start() noexcept;
    static void onRead(ngx_http_request_t* r) noexcept;
    static void onTime(ngx_event_t* event) noexcept;
    static void onTurn(void* self) noexcept;
    static void onDrain(Drainable& drainable, bool force) noexcept;
    bool waitOn(const std::optional<ChannelState>& state) noexcept;
    void finish(const std::optional<ChannelState>& state, Refusal refusal) noexcept;
    void leave() noexcept;

    ngx_http_request_t* request_;
    RequestContext& context_;
    Wish wish_;
    Answer answer_;
    ngx_msec_t until_; // of nginx's clock
    bool isLinked_ = false;
    LoopEvent timer_; // looks at the number
    Task task_;       // answers
    Drainable drainable_{};
};

} // namespace sse
