#include "subscribe/admission.hpp"

#include "http/respond.hpp"
#include "sse/log_text.hpp"
#include "subscribe/later.hpp"

namespace sse {

namespace {

bool isAbsent(const LocationConfig& config, const Catchup& catchup) noexcept {
    return config.absentMode() != Absent::Wait && catchup.isAbsent();
}

void logIfTableIsFull(ngx_http_request_t* r, const RequestContext& context, Refusal refusal) noexcept {
    static time_t second = 0;
    const bool isFull = refusal == Refusal::IndexFull || refusal == Refusal::KeysFull;
    if (!isFull || !isFirstOfSecond(second)) {
        return;
    }
    const LogText channel(toView(context.channel));
    const ngx_str_t name = ngxString(channel.view());
    if (refusal == Refusal::KeysFull) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "sse: channel \"%V\": no room for another key in \"sse_keys\"", &name);
    } else {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "sse: channel \"%V\": no room for another channel in zone \"%V\"", &name,
                      &locationConfig(r)->zone->name);
    }
}

// Refuses a client that should come back later. An EventSource never comes back after a refusal that is a
// status; a client that polls can read the status.
ngx_int_t putOff(ngx_http_request_t* r, RequestContext& context, Refusal refusal) noexcept {
    logIfTableIsFull(r, context, refusal);
    context.reason = CloseReason::Rejected;
    const LocationConfig& config = *locationConfig(r);
    if (config.rejectMode() == Reject::Hard || context.isPoll) {
        return refuse(r, refusal);
    }
    logRefusal(r, refusal);
    return answerLater(r, context, config.rejectTime);
}

RefusalGroup groupOf(Admission refused) noexcept {
    switch (refused) {
    case Admission::IndexFull:
        return RefusalGroup::Full;
    case Admission::Locked:
        return RefusalGroup::Locked;
    case Admission::Unfilled:
        return RefusalGroup::Bus;
    case Admission::Gap:
        return RefusalGroup::Gap;
    case Admission::Ended:
        return RefusalGroup::Ended;
    case Admission::Absent:
        return RefusalGroup::Absent;
    default:
        return RefusalGroup::Error;
    }
}

} // namespace

Admission admitUnfilled(const LocationConfig& config) noexcept {
    return config.absentMode() == Absent::Wait ? Admission::Ok : Admission::Unfilled;
}

Admission admitFromNow(const LocationConfig& config, const Catchup& catchup) noexcept {
    return isAbsent(config, catchup) ? Admission::Absent : catchup.ended() ? Admission::Ended : Admission::Ok;
}

Admission admitFromStart(const LocationConfig& config, const Catchup& catchup, Gap gap) noexcept {
    const bool missed = gap != Gap::None;
    if (missed && config.gapMode() == GapMode::Close) {
        countGap(*config.zone, catchup);
        return Admission::Gap;
    }
    if (!missed && isAbsent(config, catchup)) {
        return Admission::Absent;
    }
    const bool told = !missed || config.gapMode() == GapMode::Off;
    return told && catchup.onlyTheEnd() ? Admission::Ended : Admission::Ok;
}

void countGap(const Zone& zone, const Catchup& catchup) noexcept {
    zone.counters->gaps[at(catchup.cause())].add();
}

void countRefusal(ngx_http_request_t* r, RefusalGroup group) noexcept {
    locationConfig(r)->zone->counters->subscribeRefusals[at(group)].add();
}

CloseReason reasonOf(Admission refused) noexcept {
    switch (refused) {
    case Admission::Gap:
        return CloseReason::Gap;
    case Admission::Ended:
        return CloseReason::Ended;
    case Admission::Absent:
        return CloseReason::Absent;
    case Admission::IndexFull:
    case Admission::Locked:
    case Admission::Unfilled:
        return CloseReason::Rejected;
    default:
        return CloseReason::Error;
    }
}

ngx_int_t refuseAdmission(ngx_http_request_t* r, RequestContext& context, Admission refused) noexcept {
    countRefusal(r, groupOf(refused));
    switch (refused) {
    case Admission::IndexFull:
        return putOff(r, context, Refusal::IndexFull);
    case Admission::Locked:
        return putOff(r, context, Refusal::Locked);
    case Admission::Unfilled:
        return putOff(r, context, Refusal::NotFilled);
    case Admission::Gap:
        return refuse(r, Refusal::EventsGone);
    case Admission::Absent:
        if (locationConfig(r)->absentMode() == Absent::NotFound) {
            return refuse(r, Refusal::UnknownChannel);
        }
        [[fallthrough]];
    case Admission::Ended:
        return NGX_HTTP_NO_CONTENT;
    case Admission::NoMemory:
    case Admission::Ok:
        break;
    }
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t refuseAtDoor(ngx_http_request_t* r, RequestContext& context, Refusal refused) noexcept {
    countRefusal(r, groupOf(refused));
    return refused == Refusal::NoMemory ? NGX_HTTP_INTERNAL_SERVER_ERROR
           : refused == Refusal::Kicked ? refuse(r, refused)
                                        : putOff(r, context, refused);
}

} // namespace sse
