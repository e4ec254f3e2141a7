#include "publish/publish_request.hpp"

#include <algorithm>

#include "http/body.hpp"
#include "http/request.hpp"
#include "http/respond.hpp"
#include "log/layout.hpp"
#include "sse/encode.hpp"
#include "sse/token.hpp"

namespace sse {

namespace {

// Unless sse_max_events says otherwise, a body may have one event for this many bytes: a line feed is enough
// for an event, which takes a hundred bytes of the zone.
constexpr off_t kBytesForEvent = 16;

// What an event of a batch takes in the log besides its fields, its publisher id and the channel's name; and
// what all of them take once, for a stamp and at the end of the ring.
constexpr size_t kRecordCost = 256;
constexpr size_t kBatchCost = sizeof(RecordHeader) + Stamp::kMaxSize;
static_assert(recordLength(0, IdLine::sizeOf(kMaxEventIdText, 1)) <= kRecordCost);

// "text/event-stream; charset=utf-8" is a text/event-stream.
std::string_view typeOf(const ngx_http_request_t& r) noexcept {
    return mediaType(firstHeader(r, "content-type"));
}

Intake::Framing framingByType(const ngx_http_request_t& r) noexcept {
    const std::string_view type = typeOf(r);
    return equalTokens(type, "text/event-stream")      ? Intake::Framing::Sse
           : equalTokens(type, "application/x-ndjson") ? Intake::Framing::Ndjson
                                                       : Intake::Framing::Event;
}

Intake::Framing framingOf(const ngx_http_request_t& r, const LocationConfig& config) noexcept {
    switch (config.framingMode()) {
    case Framing::Auto:
        return isForeign(r) ? Intake::Framing::Event : framingByType(r);
    case Framing::ContentType:
        return framingByType(r);
    case Framing::Event:
        break;
    case Framing::Lines:
        return Intake::Framing::Lines;
    case Framing::Ndjson:
        return Intake::Framing::Ndjson;
    case Framing::Sse:
        return Intake::Framing::Sse;
    case Framing::Form:
        return Intake::Framing::Form;
    case Framing::Json:
        return Intake::Framing::Json;
    }
    return Intake::Framing::Event;
}

// Lines often come from a log file: some bytes that are not text are no reason to refuse them.
bool repairs(const LocationConfig& config, Intake::Framing framing) noexcept {
    const InvalidUtf8 mode = config.invalidUtf8Mode();
    return mode == InvalidUtf8::Auto ? framing == Intake::Framing::Lines : mode == InvalidUtf8::Replace;
}

// Whether the client has said how long the body is, or sends none; see hasBody().
bool hasKnownLength(const ngx_http_request_t& r) noexcept {
    return !r.headers_in.chunked;
}

uint64_t maxEventsOf(ngx_http_request_t* r, const LocationConfig& config) noexcept {
    if (config.maxEvents != NGX_CONF_UNSET_UINT) {
        return config.maxEvents;
    }
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    return static_cast<uint64_t>((core->client_max_body_size + kBytesForEvent - 1) / kBytesForEvent);
}

bool isIn(const ngx_array_t* names, std::string_view wanted) noexcept {
    if (names == nullptr) {
        return false;
    }
    return std::ranges::any_of(stringsOf(*names),
                               [wanted](const ngx_str_t& name) { return toView(name) == wanted; });
}

// The value of the directive, or, if there is none, of the client's argument; false without memory.
bool evaluateOrArgument(ngx_http_request_t* r, ngx_http_complex_value_t* expression,
                        std::string_view argument, std::string_view& value) noexcept {
    return expression != nullptr ? evaluateDecoded(r, expression, value)
                                 : isForeign(*r) || firstArgument(r, argument, value);
}

// A type that is fixed in the configuration is intended; one from a request must not be taken for one of the
// module's own events.
Refusal readType(ngx_http_request_t* r, Intake& intake) noexcept {
    ngx_http_complex_value_t* expression = locationConfig(r)->eventType;
    std::string_view type;
    if (!evaluateOrArgument(r, expression, "event", type)) {
        return Refusal::NoMemory;
    }
    bool isFixed = expression != nullptr && expression->lengths == nullptr;
    return intake.setType(type, isFixed);
}

Refusal readId(ngx_http_request_t* r, Intake& intake) noexcept {
    ngx_http_complex_value_t* expression = locationConfig(r)->eventId;
    std::string_view id;
    if (expression != nullptr && !evaluateDecoded(r, expression, id)) {
        return Refusal::NoMemory;
    }
    return intake.setPublisherId(id);
}

Refusal readRetry(ngx_http_request_t* r, Intake& intake) noexcept {
    std::string_view digits;
    return evaluateOrArgument(r, locationConfig(r)->eventRetry, "retry", digits) ? intake.setRetry(digits)
                                                                                 : Refusal::NoMemory;
}

Refusal readEncoding(ngx_http_request_t* r, Intake& intake) noexcept {
    std::string_view name;
    return evaluateOrArgument(r, locationConfig(r)->eventEncoding, "encode", name) ? intake.setEncoding(name)
                                                                                   : Refusal::NoMemory;
}

// --- The body ---

// A body that nginx passes on to us counts as it is, whatever its sender calls it.
Refusal checkBody(ngx_http_request_t* r, Intake& intake) noexcept {
    if (!isForeign(*r) && isEncoded(*r)) {
        return Refusal::EncodedBody;
    }
    if (!isForeign(*r) && equalTokens(typeOf(*r), "multipart/form-data")) {
        return Refusal::MultipartBody;
    }
    if (!isBodyToCome(*r) && !isBodyKept(*r)) {
        return Refusal::BodyNotKept;
    }
    if (intake.isBatch() && !hasKnownLength(*r)) {
        return Refusal::LengthRequired;
    }
    auto most = static_cast<off_t>(intake.maxBody());
    return intake.isStream() || r->headers_in.content_length_n <= most ? Refusal::None
                                                                       : Refusal::EventTooLarge;
}

} // namespace

bool isPublishing(const ngx_http_request_t& r) noexcept {
    return (r.method & (NGX_HTTP_POST | NGX_HTTP_PUT)) != 0 || isTurnedIntoGet(r);
}

// nginx-internal: http/ngx_http_upstream.c, http/ngx_http_special_response.c
// (1.22.1, 1.26.3, 1.30.4, 1.31.4): X-Accel-Redirect and error_page turn every method but HEAD into GET,
// while the body is still the client's. Other ways into an internal location (rewrite, try_files, index)
// leave the method alone: a GET there is the client's, and so is one of a subrequest.
bool isTurnedIntoGet(const ngx_http_request_t& r) noexcept {
    return r.method == NGX_HTTP_GET && &r == r.main && r.internal &&
           (isSentWith(r, "POST") || isSentWith(r, "PUT"));
}

Refusal checkBodyChannel(const LocationConfig& config, std::string_view channel) noexcept {
    if (config.bodyChannels == nullptr) {
        return Refusal::ChannelsNotAllowed;
    }
    const bool isAllowed =
        config.allowsAllChannels != 0 || hasPrefix(channel, stringsOf(*config.bodyChannels));
    return isAllowed ? Refusal::None : Refusal::ForeignChannel;
}

// A request that can come again, or that has a condition, is published as a whole or not at all.
Intake::Options intakeOptions(ngx_http_request_t* r, std::string_view channel,
                              bool hasPreconditions) noexcept {
    const LocationConfig& config = *locationConfig(r);
    const Intake::Framing framing = framingOf(*r, config);
    const bool isAtomic = config.batchMode() == BatchMode::Atomic && hasKnownLength(*r);
    const bool isOne = framing == Intake::Framing::Event || framing == Intake::Framing::Form;
    const bool isBatch = !isOne && (isAtomic || hasPreconditions);
    const uint64_t most = config.zone->log.maxRecord() - kBatchCost;
    return {.framing = framing,
            .maxData = config.maxEventSize,
            .maxEvents = maxEventsOf(r, config),
            .repair = repairs(config, framing),
            .ignoreIds = config.bodyIdMode() == BodyIds::Ignore,
            .maxChannels = kMostChannels,
            .mayEnd = config.publishEnd == nullptr && !isForeign(*r),
            .maxBatch = isBatch ? std::min<size_t>(config.maxBatch, most) : 0,
            .recordCost = kRecordCost + channel.size(),
            .maxBatchEvents = config.maxRate};
}

bool isReservedType(ngx_http_request_t* r, std::string_view type) noexcept {
    const LocationConfig& config = *locationConfig(r);
    return isIn(&mainConfig(r)->reservedTypes, type) && !config.allowsAllTypes &&
           !isIn(config.allowedTypes, type);
}

Refusal readEnd(ngx_http_request_t* r, bool& ends) noexcept {
    ngx_http_complex_value_t* expression = locationConfig(r)->publishEnd;
    if (expression == nullptr) {
        ends = !isForeign(*r) && isFlagSet(*r, "end");
        return Refusal::None;
    }
    std::string_view value;
    if (!evaluateDecoded(r, expression, value)) {
        return Refusal::NoMemory;
    }
    ends = !value.empty() && !saysNo(value);
    return Refusal::None;
}

Refusal readPublishRequest(ngx_http_request_t* r, Intake& intake) noexcept {
    for (auto* read : {readType, readId, readRetry, readEncoding, checkBody}) {
        if (Refusal refusal = read(r, intake); refusal != Refusal::None) {
            return refusal;
        }
    }
    return Refusal::None;
}

void countRefusedPublish(ngx_http_request_t* r, Refusal refusal) noexcept {
    ZoneCounters& counters = *locationConfig(r)->zone->counters;
    counters.publishRequests[at(PublishOutcome::Refused)].add();
    counters.publishRefusals[at(groupOf(refusal))].add();
}

ngx_int_t refusePublish(ngx_http_request_t* r, Refusal refusal, const RefusalFacts& facts) noexcept {
    countRefusedPublish(r, refusal);
    return refuse(r, refusal, facts);
}

} // namespace sse
