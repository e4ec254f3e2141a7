// What is answered about a channel.
#pragma once

#include "log/event_id.hpp"
#include "ngx.hpp"
#include "sse/json.hpp"

namespace sse {

struct ChannelFacts {
    JsonName idName; // the name of the id in the answer
    EventId id;
    bool hasId;
    uint32_t subscribers;
    bool isRepeated = false; // the request has been here before
};

// Sends {"channel":"…","subscribers":n,"<idName>":"…"}, and "repeated":true if the request has been here
// before.
ngx_int_t sendFacts(ngx_http_request_t* r, std::string_view channel, const ChannelFacts& facts) noexcept;

} // namespace sse
