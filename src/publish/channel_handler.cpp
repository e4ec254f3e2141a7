#include "publish/channel_handler.hpp"

#include <optional>

#include "conf/config.hpp"
#include "http/respond.hpp"
#include "publish/append_events.hpp"
#include "publish/channel_wait.hpp"
#include "publish/publish_request.hpp"
#include "sse/json.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

struct ChannelFacts {
    JsonName idName; // the name of the id in the answer
    EventId id;
    bool hasId;
    uint32_t subscribers;
    bool isRepeated = false; // the request has been here before
};

// {"channel":"…","subscribers":n,"<idName>":"…"}, and "repeated":true if the request has been here before
ngx_int_t sendFacts(ngx_http_request_t* r, std::string_view channel, const ChannelFacts& facts) noexcept {
    Buffer text;
    JsonWriter json(text);
    json.beginObject().member("channel", channel).member("subscribers", facts.subscribers);
    json.key(facts.idName);
    if (facts.hasId) {
        char id[kMaxEventIdText];
        json.string({id, formatEventId(facts.id, id)});
    } else {
        json.null();
    }
    if (facts.isRepeated) {
        json.key("repeated").boolean(true);
    }
    json.endObject();
    return respond(r, NGX_HTTP_OK, json, text);
}

ngx_int_t tellChannel(ngx_http_request_t* r, RequestContext& context, const ChannelState& state) noexcept {
    const bool hasEvent = locationConfig(r)->zone->log.hasEvent(state);
    context.subscribers = state.subscribers;
    return sendFacts(r, toView(context.channel), {"last_id", state.newestId, hasEvent, state.subscribers});
}

// Subscribers get what is left, then their streams end. Later connections get a 204, which tells an
// EventSource not to reconnect.
ngx_int_t endChannel(ngx_http_request_t* r, RequestContext& context) noexcept {
    std::string_view channel = toView(context.channel);
    Zone& zone = *locationConfig(r)->zone;
    Preconditions preconditions;
    if (Refusal refusal = readPreconditions(*r, preconditions); refusal != Refusal::None) {
        return refuse(r, refusal);
    }
    std::optional<AppendedEvents> end = appendEnd(zone, {channel, zone.log.hash(channel)}, preconditions);
    if (!end) {
        return refuse(r, Refusal::UnknownChannel);
    }
    if (Refusal refusal = refusalOf(*end); refusal != Refusal::None) {
        return refuse(r, refusal, factsOf(end->verdict));
    }
    Worker::self().wake(end->listeners);
    context.subscribers = end->subscribers;
    return sendFacts(
        r, channel,
        {"ended_id", end->lastId, end->lastId != EventId{}, end->subscribers, end->verdict.isRepeated()});
}

} // namespace

ngx_int_t handleChannel(ngx_http_request_t* r, RequestContext& context) noexcept {
    if (r->method == NGX_HTTP_DELETE) {
        return endChannel(r, context);
    }
    ChannelWait::Wish wish;
    const Refusal refusal = ChannelWait::read(r, wish);
    return refusal == Refusal::None ? ChannelWait::run(r, context, wish, tellChannel) : refuse(r, refusal);
}

} // namespace sse
