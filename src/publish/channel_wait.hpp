// A GET of a channel that waits until the channel has so many subscribers: a producer can stop when nobody
// listens any more, or begin when somebody does.
#pragma once

#include <optional>

#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "worker/drain.hpp"

namespace sse {

class ChannelWait {
public:
    struct Wish {
        ngx_msec_t time = 0; // milliseconds; 0: do not wait
        uint32_t subscribers = 0;
    };
    // What the arguments `wait` (seconds) and `subscribers` ask for. Returns why the request is refused.
    static Refusal read(ngx_http_request_t* r, Wish& wish) noexcept;

    // Answers with what `answer` returns: now, if the wish is fulfilled, or when it is, or when its time is
    // up or the worker leaves. Returns what the content handler returns.
    using Answer = ngx_int_t (*)(ngx_http_request_t* r, RequestContext& context) noexcept;
    static ngx_int_t run(ngx_http_request_t* r, RequestContext& context, const Wish& wish,
                         Answer answer) noexcept;

private:
    ChannelWait(ngx_http_request_t* r, RequestContext& context, const Wish& wish, Answer answer) noexcept;
    void start() noexcept;
    bool isOver() const noexcept;
    bool isFulfilled() noexcept;
    void look() noexcept;
    void finish() noexcept;
    void leave() noexcept;

    ngx_http_request_t* request_;
    RequestContext& context_;
    uint32_t subscribers_;
    Answer answer_;
    ngx_msec_t until_; // of nginx's clock
    int seen_ = 0;     // how often in a row there were so many
    bool isLinked_ = false;
    LoopEvent timer_;
    Drainable drainable_{};
};

} // namespace sse
