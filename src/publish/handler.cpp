// sse_publish: the content handler of a publishing location.
#include "publish/handler.hpp"

#include "conf/config.hpp"
#include "http/origin_check.hpp"
#include "http/request_context.hpp"
#include "http/request_life.hpp"
#include "http/respond.hpp"
#include "publish/channel_handler.hpp"
#include "publish/channel_list.hpp"
#include "publish/publish_request.hpp"
#include "publish/publisher.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

constexpr std::string_view kMethods = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

// Methods besides those that publish. The DELETE that a subrequest inherits from its parent, as in a mirror,
// refers to something that the parent names: it must not end the channel.
bool isOtherMethod(const ngx_http_request_t& r) noexcept {
    return (r.method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) != 0 || (r.method == NGX_HTTP_DELETE && &r == r.main);
}

ngx_int_t refuseAny(ngx_http_request_t* r, Refusal refusal) noexcept {
    return isPublishing(*r) ? refusePublish(r, refusal) : refuse(r, refusal);
}

ngx_int_t publish(ngx_http_request_t* r, RequestContext& context) noexcept {
    auto* publisher = makeForRequest<Publisher>(r, r, context);
    if (publisher == nullptr) {
        return refusePublish(r, Refusal::NoMemory);
    }
    return publisher->readHead() ? publisher->run() : publisher->sendRefusal();
}

} // namespace

ngx_int_t handlePublish(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    if (!isPublishing(*r) && !isOtherMethod(*r)) {
        return refuseMethod(r, kMethods);
    }
    const bool changes = isPublishing(*r) || r->method == NGX_HTTP_DELETE;
    if (changes && isRefusedPage(r, config)) {
        return refuseAny(r, Refusal::ForeignPage);
    }
    // A client chooses the arguments of its own request, not those of the requests that nginx makes of it. A
    // request that publishes remains one, whatever nginx has turned it into.
    if (!isPublishing(*r) && !isForeign(*r) && asksForList(*r)) {
        return handleChannelList(r);
    }
    ngx_str_t channel;
    if (ngx_http_complex_value(r, config.publish, &channel) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (channel.len == 0 && !(isPublishing(*r) && mayNameChannels(config))) {
        return refuseAny(r, Refusal::NoChannel);
    }
    if (channel.len != 0 && !isChannelName(toView(channel))) {
        return refuseAny(r, Refusal::BadChannelName);
    }
    // Only now: what the variables contain has been checked.
    RequestContext* context = makeContext(r);
    if (context == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    context->channel = channel;
    return isPublishing(*r) ? publish(r, *context) : handleChannel(r, *context);
}

} // namespace sse
