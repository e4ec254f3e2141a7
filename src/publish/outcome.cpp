#include "publish/outcome.hpp"

#include "http/respond.hpp"

namespace sse {

Refusal Outcome::note(const AppendedEvents& appended) noexcept {
    verdict_ = appended.verdict;
    newestId_ = appended.lastId;
    context_.events += appended.count;
    if (appended.count != 0) {
        context_.lastId = appended.lastId;
        lastPublisherId_ = PublisherId(appended.lastPublisherId);
    } else if (verdict_.isRepeated()) {
        context_.lastId = verdict_.id;
        lastPublisherId_ = verdict_.publisherId;
    }
    context_.subscribers = appended.subscribers;
    hasEnded_ = appended.ended;
    if (!appended.lastChannel.empty()) {
        lastChannel_ = ShortText<kMaxChannelName>(appended.lastChannel);
    }
    return refusalOf(appended);
}

RefusalFacts Outcome::facts(bool countsEvents) const noexcept {
    RefusalFacts facts = factsOf(verdict_);
    facts.isUnknown = isUnknown_;
    if (countsEvents) {
        facts.events = context_.events;
    }
    return facts;
}

// {"id":"…","channel":"…","subscribers":n,"events":n}, "replicas":n if that was asked for, and "ended":true
// if the channel has ended with it, or "repeated":true if the request has been here before
ngx_int_t Outcome::answer(ngx_http_request_t* r) const noexcept {
    Buffer text;
    JsonWriter json(text);
    json.beginObject().key("id");
    writeId(json);
    json.key("channel");
    if (lastChannel_.empty()) {
        json.null();
    } else {
        json.string(lastChannel_.view());
    }
    json.member("subscribers", context_.subscribers).member("events", context_.events);
    if (replicas_) {
        json.member("replicas", replicas_->have);
    }
    if (hasEnded_) {
        json.key("ended").boolean(true);
    }
    if (verdict_.isRepeated()) {
        json.key("repeated").boolean(true);
    }
    json.endObject();
    const bool isShort = replicas_ && replicas_->have < replicas_->wanted;
    const ngx_uint_t status = context_.events == 0 ? NGX_HTTP_OK
                              : isShort            ? NGX_HTTP_ACCEPTED
                                                   : NGX_HTTP_CREATED;
    return respond(r, status, json, text);
}

// The id of the last event; null if there is none, or if it is not known any more.
void Outcome::writeId(JsonWriter& json) const noexcept {
    const bool isKnown = verdict_.isRepeated() && verdict_.id != EventId{};
    if (context_.events == 0 && !isKnown) {
        json.null();
        return;
    }
    char lastId[kMaxEventIdText];
    ShortText<kMaxEventIdText + 1 + kMaxPublisherId> id({lastId, formatEventId(context_.lastId, lastId)});
    id.append(lastPublisherId_.empty() ? "" : "~");
    id.append(lastPublisherId_.view());
    json.string(id.view());
}

} // namespace sse
