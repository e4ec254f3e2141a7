#include "publish/channel.hpp"

#include "conf/config.hpp"
#include "http/respond.hpp"
#include "sse/json.hpp"
#include "worker/worker.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

struct ChannelFacts {
    JsonName idName; // what the id is called in the answer
    EventId id;
    bool hasId;
    uint32_t subscribers;
};

// {"channel":"…","subscribers":n,"<idName>":"…"}
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
    json.endObject();
    return respond(r, NGX_HTTP_OK, json, text);
}

// Whether the newest event of a channel is still there; behind it there may be ends.
bool hasEvent(const Log& log, const ChannelState& state) noexcept {
    RecordHeader record;
    uint64_t offset = state.newest;
    while (offset != kNoOffset && log.readHeader(offset, record) == ReadStatus::Ok) {
        if (record.kind == RecordKind::Event) {
            return true;
        }
        offset = record.previous;
    }
    return false;
}

ngx_int_t tellChannel(ngx_http_request_t* r, RequestContext& context) noexcept {
    Zone& zone = *locationConfig(r)->zone;
    std::string_view channel = view(context.channel);
    ChannelState state;
    {
        ZoneLock lock(zone);
        state = lock.log().findChannel(zone.log.hash(channel));
    }
    context.subscribers = state.subscribers;
    return sendFacts(r, channel, {"last_id", state.newestId, hasEvent(zone.log, state), state.subscribers});
}

// Subscribers get what is left, then their streams end; when they come back they are told by a 204 to stay
// away.
ngx_int_t endChannel(ngx_http_request_t* r, RequestContext& context) noexcept {
    Zone& zone = *locationConfig(r)->zone;
    std::string_view channel = view(context.channel);
    uint64_t hash = zone.log.hash(channel);
    Appended appended;
    bool known;
    {
        ZoneLock lock(zone);
        ChannelState state = lock.log().findChannel(hash);
        known = state.newest != kNoOffset || state.subscribers != 0;
        if (known) {
            appended = lock.log().append(
                {.channel = channel, .hash = hash, .publisherId = {}, .end = true, .fields = {}},
                unixMilliseconds());
        }
    }
    if (!known) {
        return refuse(r, Refusal::UnknownChannel);
    }
    if (appended.status != AppendStatus::Ok) {
        return refuse(r, Refusal::Retired);
    }
    Worker::self().wake(appended.listeners);
    context.subscribers = appended.subscribers;
    return sendFacts(r, channel, {"ended_id", appended.id, true, appended.subscribers});
}

} // namespace

ngx_int_t handleChannel(ngx_http_request_t* r, RequestContext& context) noexcept {
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    return r->method == NGX_HTTP_DELETE ? endChannel(r, context) : tellChannel(r, context);
}

} // namespace sse
