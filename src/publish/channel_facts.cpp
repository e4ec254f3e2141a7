#include "publish/channel_facts.hpp"

#include "http/respond.hpp"

namespace sse {

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

} // namespace sse
