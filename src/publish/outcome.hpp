// What has become of the events of a request, and how its client is told.
#pragma once

#include <optional>

#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "publish/append_events.hpp"
#include "sse/json.hpp"
#include "sse/publisher_id.hpp"
#include "sse/short_text.hpp"

namespace sse {

// How many replicas have an event, of those that should.
struct Replicas {
    uint32_t have;
    uint32_t wanted;
};

class Outcome {
public:
    Outcome(RequestContext& context, std::string_view channel) noexcept
        : context_(context), lastChannel_(channel) {}

    // Remembers what the log says. Returns how the client is told; None: it is in the log.
    Refusal note(const AppendedEvents& appended) noexcept;

    // Whether that channel has ended with the last of the events.
    bool hasEnded(std::string_view channel) const noexcept {
        return hasEnded_ && lastChannel_.view() == channel;
    }
    bool isRepeated() const noexcept { return verdict_.isRepeated(); }
    // Whether no event has been published.
    bool isNothing() const noexcept { return context_.events == 0; }
    // The id of the newest record that the request has brought, which may be an end alone; zero: there is
    // none.
    EventId newestId() const noexcept { return newestId_; }

    // Sends the answer: 201, 202 if fewer replicas have the events than should, or 200 if nothing was
    // published.
    ngx_int_t answer(ngx_http_request_t* r) const noexcept;
    // What the client has to know of a refusal. `countsEvents`: including how many events were published
    // before.
    RefusalFacts facts(bool countsEvents) const noexcept;

private:
    friend class BusShare; // notes what a bus says

    void writeId(JsonWriter& json) const noexcept;

    RequestContext& context_; // has the last id, and the number of events
    Verdict verdict_;         // of the preconditions
    EventId newestId_;
    PublisherId lastPublisherId_;
    ShortText<kMaxChannelName> lastChannel_;
    bool hasEnded_ = false;  // `lastChannel_`
    bool isUnknown_ = false; // whether more events have been published than are counted
    std::optional<Replicas> replicas_;
};

} // namespace sse
