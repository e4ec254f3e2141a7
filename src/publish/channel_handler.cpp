#include "publish/channel_handler.hpp"

#include "conf/config.hpp"
#include "http/respond.hpp"
#include "publish/channel_end.hpp"
#include "publish/channel_facts.hpp"
#include "publish/channel_wait.hpp"

namespace sse {

namespace {

ngx_int_t tellChannel(ngx_http_request_t* r, RequestContext& context, const ChannelState& state) noexcept {
    const bool hasEvent = locationConfig(r)->zone->log.hasEvent(state);
    context.subscribers = state.subscribers;
    return sendFacts(r, toView(context.channel), {"last_id", state.newestId, hasEvent, state.subscribers});
}

} // namespace

ngx_int_t handleChannel(ngx_http_request_t* r, RequestContext& context) noexcept {
    if (r->method == NGX_HTTP_DELETE) {
        return ChannelEnd::run(r, context);
    }
    ChannelWait::Wish wish;
    const Refusal refusal = ChannelWait::read(r, wish);
    return refusal == Refusal::None ? ChannelWait::run(r, context, wish, tellChannel) : refuse(r, refusal);
}

} // namespace sse
