// sse_publish: the content handler of a publishing location.
#include "publish/handler.hpp"

#include "conf/config.hpp"
#include "http/cors.hpp"
#include "http/request.hpp"
#include "http/request_context.hpp"
#include "http/respond.hpp"
#include "publish/publisher.hpp"
#include "sse/json.hpp"
#include "sse/token.hpp"
#include "sse/validate.hpp"
#include "worker/worker.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

constexpr std::string_view kMethods = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

// X-Accel-Redirect and error_page turn every method into GET, but the body is still the client's. Other ways
// into an internal location (rewrite, try_files, index) leave the method alone: a GET there is the client's,
// and so is one of a subrequest.
bool isTurnedIntoGet(const ngx_http_request_t& r) noexcept {
    return r.method == NGX_HTTP_GET && &r == r.main && r.internal &&
           (isSentWith(r, "POST") || isSentWith(r, "PUT"));
}

// Besides publishing. The DELETE that a subrequest has from its parent, as in a mirror, is about something
// that the parent names: it must not end the channel.
bool isOtherMethod(const ngx_http_request_t& r) noexcept {
    return (r.method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) != 0 || (r.method == NGX_HTTP_DELETE && &r == r.main);
}

// nginx-internal: over HTTP/2 and 3 the host may be in the pseudo-header :authority alone, of which
// ngx_http_v3_request.c keeps only where it lies.
std::string_view hostOf(const ngx_http_request_t& r) noexcept {
    if (r.headers_in.host != nullptr) {
        return view(r.headers_in.host->value);
    }
    return {reinterpret_cast<const char*>(r.host_start), static_cast<size_t>(r.host_end - r.host_start)};
}

// Whether a browser says that the request comes from a page that has no business here. Any page can have a
// browser send a POST, with the cookies of its user and from inside the user's network. Clients that are no
// browsers send none of these headers.
bool isForeignPage(const ngx_http_request_t& r, const LocationConfig& config) noexcept {
    std::string_view origin = requestOrigin(r);
    // "null" is whoever likes to be: any page can have a frame in a sandbox.
    if (!origin.empty() && origin != "null" && isListedOrigin(config, origin)) {
        return false;
    }
    std::string_view site = firstHeader(r, "sec-fetch-site");
    if (!site.empty()) {
        return !equalTokens(site, "same-origin") && !equalTokens(site, "none");
    }
    std::string_view host = hostOf(r);
    size_t authority = origin.find("://");
    bool isOwn = authority != std::string_view::npos && !host.empty() &&
                 equalTokens(without(origin, authority + 3), host);
    return !isOwn && !firstHeader(r, "origin").empty();
}

// Whether the request is where the application has sent it by X-Accel-Redirect: then it has allowed it. An
// error page may have taken it elsewhere since, and the header may be there and not have counted.
bool isAllowedByApplication(ngx_http_request_t* r) noexcept {
    const ngx_http_upstream_t* upstream = r->upstream;
    if (r != r->main || !r->internal || upstream == nullptr ||
        upstream->headers_in.x_accel_redirect == nullptr ||
        (upstream->conf->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT) != 0 ||
        upstream->headers_in.status_n >= NGX_HTTP_SPECIAL_RESPONSE) {
        return false;
    }
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    ngx_str_t target = upstream->headers_in.x_accel_redirect->value;
    if (view(target).starts_with('@')) {
        return view(target) == view(core->name);
    }
    ngx_str_t args = ngx_null_string;
    ngx_uint_t flags = 0;
    return ngx_http_parse_unsafe_uri(r, &target, &args, &flags) == NGX_OK && view(target) == view(r->uri);
}

bool isRefusedPage(ngx_http_request_t* r, const LocationConfig& config) noexcept {
    bool changes = (r->method & (NGX_HTTP_POST | NGX_HTTP_PUT | NGX_HTTP_DELETE)) != 0 || isTurnedIntoGet(*r);
    return config.checkOrigin != 0 && changes && isForeignPage(*r, config) && !isAllowedByApplication(r);
}

struct ChannelFacts {
    std::string_view idName; // what the id is called in the answer
    EventId id;
    bool hasId;
    uint32_t subscribers;
};

// {"channel":"…","subscribers":n,"<idName>":"…"}
ngx_int_t answerWith(ngx_http_request_t* r, std::string_view channel, const ChannelFacts& facts) noexcept {
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
    return answerWith(r, channel, {"last_id", state.newestId, hasEvent(zone.log, state), state.subscribers});
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
    return answerWith(r, channel, {"ended_id", appended.id, true, appended.subscribers});
}

ngx_int_t publish(ngx_http_request_t* r, RequestContext& context) noexcept {
    Publisher* publisher = Publisher::make(r, context);
    if (publisher == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return publisher->readHead() ? publisher->run() : publisher->sendRefusal();
}

} // namespace

ngx_int_t handlePublish(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    bool isPublishing = (r->method & (NGX_HTTP_POST | NGX_HTTP_PUT)) != 0 || isTurnedIntoGet(*r);
    if (!isPublishing && !isOtherMethod(*r)) {
        return refuseMethod(r, kMethods);
    }
    if (isRefusedPage(r, config)) {
        return refuse(r, Refusal::ForeignPage);
    }
    ngx_str_t channel;
    if (ngx_http_complex_value(r, config.publish, &channel) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (channel.len == 0) {
        return refuse(r, Refusal::NoChannel);
    }
    if (!isChannelName(view(channel))) {
        return refuse(r, Refusal::BadChannelName);
    }
    // Only now: what the variables hold has been checked.
    RequestContext* context = makeContext(r);
    if (context == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    context->channel = channel;
    if (isPublishing) {
        return publish(r, *context);
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    return r->method == NGX_HTTP_DELETE ? endChannel(r, *context) : tellChannel(r, *context);
}

} // namespace sse
