#include "publish/channel_end.hpp"

#include "conf/config.hpp"
#include "http/request_life.hpp"
#include "http/respond.hpp"
#include "publish/channel_facts.hpp"
#include "publish/precondition_headers.hpp"
#include "worker/worker.hpp"

namespace sse {

ngx_int_t ChannelEnd::run(ngx_http_request_t* r, RequestContext& context) noexcept {
    Preconditions preconditions;
    if (Refusal refusal = readPreconditions(*r, preconditions); refusal != Refusal::None) {
        return refuse(r, refusal);
    }
    const bool hasBus = locationConfig(r)->zone->bus != nullptr;
    return hasBus ? runInBus(r, context, preconditions) : runInLog(r, context, preconditions);
}

ngx_int_t ChannelEnd::runInLog(ngx_http_request_t* r, RequestContext& context,
                               const Preconditions& preconditions) noexcept {
    const std::string_view channel = toView(context.channel);
    Zone& zone = *locationConfig(r)->zone;
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

// --- With a bus ---

ngx_int_t ChannelEnd::runInBus(ngx_http_request_t* r, RequestContext& context,
                               const Preconditions& preconditions) noexcept {
    auto* end = makeForRequest<ChannelEnd>(r, r, context, preconditions);
    return end == nullptr ? NGX_HTTP_INTERNAL_SERVER_ERROR : end->start();
}

ChannelEnd::ChannelEnd(ngx_http_request_t* r, RequestContext& context,
                       const Preconditions& preconditions) noexcept
    : request_(r), context_(context), channel_{toView(context.channel),
                                               locationConfig(r)->zone->log.hash(toView(context.channel))},
      preconditions_(preconditions), outcome_(context, channel_.name),
      bus_(*locationConfig(r)->zone, r->pool, this,
           [](void* self) noexcept { static_cast<ChannelEnd*>(self)->finish(); }) {
    drainable_.owner = this;
    drainable_.drain = [](Drainable& drainable, bool force) noexcept {
        if (force) {
            static_cast<ChannelEnd*>(drainable.owner)->finish();
        }
    };
}

ngx_int_t ChannelEnd::start() noexcept {
    Refusal refusal = bus_.check(preconditions_);
    if (refusal == Refusal::None) {
        refusal = bus_.end(channel_, preconditions_, outcome_);
    }
    if (refusal != Refusal::None) {
        return refuse(request_, refusal);
    }
    if (bus_.isOver()) {
        return answer();
    }
    bus_.waitForEnd();
    request_->main->count++;
    Worker::self().add(drainable_);
    isLinked_ = true;
    return NGX_DONE;
}

// The outcome is known, or the worker leaves.
void ChannelEnd::finish() noexcept {
    const ngx_int_t rc = answer();
    leave();
    finalizeFromOutside(request_, rc);
}

ngx_int_t ChannelEnd::answer() noexcept {
    if (const Refusal refusal = bus_.settle(outcome_); refusal != Refusal::None) {
        return refuse(request_, refusal, outcome_.facts(false));
    }
    const EventId id = outcome_.newestId();
    return sendFacts(request_, channel_.name,
                     {"ended_id", id, id != EventId{}, context_.subscribers, outcome_.isRepeated()});
}

void ChannelEnd::leave() noexcept {
    bus_.leave(outcome_);
    if (isLinked_) {
        isLinked_ = false;
        Worker::self().remove(drainable_, request_);
    }
}

} // namespace sse
