#include "kick/handler.hpp"

#include "conf/config.hpp"
#include "http/fault_scope.hpp"
#include "http/origin_check.hpp"
#include "http/request.hpp"
#include "http/request_context.hpp"
#include "http/respond.hpp"
#include "kick/announcement.hpp"
#include "sse/json.hpp"
#include "sse/validate.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// Keys are percent-decoded, so any key can be sent. Channels are named as in other locations, where nginx
// does not decode $arg_channel.
Refusal readKick(ngx_http_request_t* r, KickEntry& kick) noexcept {
    std::string_view seconds;
    ngx_str_t channel = ngx_null_string;
    ngx_str_t name = ngx_string("channel");
    (void)ngx_http_arg(r, name.data, name.len, &channel);
    if (!firstArgument(r, "key", kick.key) || !firstArgument(r, "for", seconds)) {
        return Refusal::NoMemory;
    }
    kick.channel = toView(channel);
    if (kick.key.empty() && kick.channel.empty()) {
        return Refusal::NobodyToKick;
    }
    if (!kick.channel.empty() && !isChannelName(kick.channel)) {
        return Refusal::BadChannelName;
    }
    ngx_str_t text = ngxString(seconds);
    const ngx_int_t time = text.len == 0 ? NGX_ERROR : ngx_parse_time(&text, 1);
    if (time < 0 || time > static_cast<ngx_int_t>(kMostKickSeconds)) {
        return Refusal::BadKickTime;
    }
    kick.seconds = static_cast<uint64_t>(time);
    return Refusal::None;
}

Refusal perform(ngx_http_request_t* r, const KickEntry& kick) noexcept {
    RequestContext* context = makeContext(r);
    if (context == nullptr) {
        return Refusal::NoMemory;
    }
    context->channel = ngxString(kick.channel);
    FaultScope crash(r);
    const Refusal refusal =
        Worker::self().guests().kick(*locationConfig(r)->zone, kick.key, kick.channel, kick.seconds * 1000);
    static time_t second = 0;
    if (refusal == Refusal::KicksFull && isFirstOfSecond(second)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "\"sse_keys\" has no room for another kick");
    }
    return refusal;
}

// {"for":n}. A kick that the other machines do not hear of is an error, because the client that kicks wants
// the streams to end wherever they are. But it holds here, and can be sent again.
ngx_int_t respondKicked(ngx_http_request_t* r, uint64_t seconds, bool isLocal) noexcept {
    if (isLocal) {
        RefusalFacts facts;
        facts.kickedFor = seconds;
        return refuse(r, Refusal::KickedHere, facts);
    }
    Buffer text;
    JsonWriter json(text);
    json.beginObject().member("for", seconds).endObject();
    return respond(r, NGX_HTTP_OK, json, text);
}

} // namespace

// A subrequest, as in a mirror, has the method and the arguments of its parent, with which a client has meant
// something else.
ngx_int_t handleKick(ngx_http_request_t* r) noexcept {
    if (r != r->main || !(r->method & (NGX_HTTP_POST | NGX_HTTP_DELETE))) {
        return refuseMethod(r, "POST, DELETE, OPTIONS");
    }
    if (isRefusedPage(r, *locationConfig(r))) {
        return refuse(r, Refusal::ForeignPage);
    }
    KickEntry kick;
    Refusal refusal = readKick(r, kick);
    if (refusal == Refusal::None) {
        refusal = perform(r, kick);
    }
    if (refusal != Refusal::None) {
        return refuse(r, refusal);
    }
    Worker::self().wakeAll();
    return announce(r, kick, respondKicked);
}

} // namespace sse
