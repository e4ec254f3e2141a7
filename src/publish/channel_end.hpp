// A DELETE of a channel, which ends it: subscribers get what is left, then their streams end. Later
// connections get a 204, which tells an EventSource not to reconnect.
//
// With a bus the end goes to the stream, and the answer waits until it is there.
#pragma once

#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "publish/bus_share.hpp"
#include "publish/outcome.hpp"
#include "worker/drain.hpp"

namespace sse {

class ChannelEnd {
public:
    // Ends the channel of the request. Returns what the content handler returns.
    static ngx_int_t run(ngx_http_request_t* r, RequestContext& context) noexcept;

    // With a bus.
    ChannelEnd(ngx_http_request_t* r, RequestContext& context, const Preconditions& preconditions) noexcept;
    void onRequestEnd() noexcept { leave(); }

private:
    static ngx_int_t runInLog(ngx_http_request_t* r, RequestContext& context,
                              const Preconditions& preconditions) noexcept;
    static ngx_int_t runInBus(ngx_http_request_t* r, RequestContext& context,
                              const Preconditions& preconditions) noexcept;
    ngx_int_t start() noexcept;
    void finish() noexcept;
    ngx_int_t answer() noexcept;
    void leave() noexcept;

    ngx_http_request_t* request_;
    RequestContext& context_;
    ChannelKey channel_;
    Preconditions preconditions_;
    Outcome outcome_;
    BusShare bus_;
    bool isLinked_ = false;
    Drainable drainable_{};
};

} // namespace sse
