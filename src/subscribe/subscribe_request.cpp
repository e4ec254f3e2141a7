#include "subscribe/subscribe_request.hpp"

#include <algorithm>

#include "http/request.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

// Where clients put the cursor: browsers in the header, polyfills and hand-written clients in the query.
constexpr std::string_view kCursorArguments[] = {"last_event_id", "lastEventId", "lastEventID"};

// The first cursor that is not empty; false without memory.
bool findCursor(ngx_http_request_t* r, std::string_view& cursor) noexcept {
    const LocationConfig& config = *locationConfig(r);
    bool evaluated = true;
    if (config.cursors != nullptr) {
        auto* expressions = static_cast<ngx_http_complex_value_t*>(config.cursors->elts);
        for (ngx_uint_t i = 0; i < config.cursors->nelts && evaluated && cursor.empty(); ++i) {
            evaluated = evaluateDecoded(r, &expressions[i], cursor);
        }
        return evaluated;
    }
    cursor = firstHeader(*r, "last-event-id");
    for (std::string_view name : kCursorArguments) {
        if (evaluated && cursor.empty()) {
            evaluated = lastArgument(r, name, cursor);
        }
    }
    return evaluated;
}

bool prefersJson(const ngx_http_request_t& r) noexcept {
    return isTypeAccepted(r, "application/json") && !isTypeAccepted(r, "text/event-stream");
}

} // namespace

// Both always return false, which ends the reading.
bool SubscribeRequest::refuseWith(Refusal refusal) noexcept {
    refusal_ = refusal;
    return false;
}

bool SubscribeRequest::fail() noexcept {
    return refuseWith(Refusal::NoMemory);
}

ngx_int_t SubscribeRequest::sendRefusal(ngx_http_request_t* r, RequestContext& context) const noexcept {
    countRefusal(r, groupOf(refusal_));
    if (refusal_ == Refusal::Expired) {
        context.channel = joinedNames(r->pool); // the names have been checked by then
        context.reason = CloseReason::Expired;
    }
    return refusal_ == Refusal::NoMemory ? NGX_HTTP_INTERNAL_SERVER_ERROR : refuse(r, refusal_);
}

bool SubscribeRequest::read(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    maxChannels_ = config.maxChannels;
    subscription_.from.history.count = config.historyCount;
    if (config.historyAge != 0) {
        const uint64_t now = unixMilliseconds();
        const auto age = static_cast<uint64_t>(config.historyAge);
        subscription_.from.history.since = age < now / 1000 ? now - age * 1000 : 0;
    }
    return readChannels(r) && readCursor(r) && readExpiry(r) && readKey(r) && readForm(r);
}

// A value that is not a time counts as past.
bool SubscribeRequest::readExpiry(ngx_http_request_t* r) noexcept {
    ngx_http_complex_value_t* expression = locationConfig(r)->expires;
    ngx_str_t text = ngx_null_string;
    if (expression != nullptr && ngx_http_complex_value(r, expression, &text) != NGX_OK) {
        return fail();
    }
    if (text.len == 0) {
        return true;
    }
    const time_t seconds = ngx_atotm(text.data, text.len);
    subscription_.expires = static_cast<uint64_t>(std::max<time_t>(seconds, 0));
    return seconds > ngx_time() || refuseWith(Refusal::Expired);
}

// Taken as it is: two keys that a decoding would make equal are different keys.
bool SubscribeRequest::readKey(ngx_http_request_t* r) noexcept {
    ngx_http_complex_value_t* expression = locationConfig(r)->key;
    ngx_str_t key = ngx_null_string;
    if (expression != nullptr && ngx_http_complex_value(r, expression, &key) != NGX_OK) {
        return fail();
    }
    subscription_.key = toView(key);
    return true;
}

// --- Channels ---

bool SubscribeRequest::readChannels(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    auto* expressions = static_cast<ngx_http_complex_value_t*>(config.channels->elts);
    for (ngx_uint_t i = 0; i < config.channels->nelts; ++i) {
        ngx_str_t list;
        if (ngx_http_complex_value(r, &expressions[i], &list) != NGX_OK) {
            return fail();
        }
        if (!addChannels(toView(list), config.separator)) {
            return false;
        }
    }
    subscription_.channels = {names_, count_};
    return count_ != 0 || refuseWith(Refusal::NoChannel);
}

// Without a separator a value is one name, whatever it contains.
bool SubscribeRequest::addChannels(std::string_view list, u_char separator) noexcept {
    bool added = true;
    while (added && !list.empty()) {
        size_t end = separator == 0 ? std::string_view::npos : list.find(static_cast<char>(separator));
        added = addChannel(list.substr(0, end));
        list = end == std::string_view::npos ? std::string_view() : dropFirst(list, end + 1);
    }
    return added;
}

bool SubscribeRequest::addChannel(std::string_view name) noexcept {
    if (name.empty() || std::find(names_, names_ + count_, name) != names_ + count_) {
        return true;
    }
    if (!isChannelName(name)) {
        return refuseWith(Refusal::BadChannelName);
    }
    if (count_ == maxChannels_) {
        return refuseWith(Refusal::TooManyChannels);
    }
    names_[count_++] = name;
    return true;
}

ngx_str_t SubscribeRequest::joinedNames(ngx_pool_t* pool) const noexcept {
    if (count_ == 1) {
        return ngxString(names_[0]);
    }
    size_t length = 0;
    for (std::string_view name : subscription_.channels) {
        length += name.size() + 1;
    }
    auto* text = static_cast<u_char*>(ngx_pnalloc(pool, length));
    if (text == nullptr) {
        return {0, nullptr};
    }
    u_char* p = text;
    for (std::string_view name : subscription_.channels) {
        p = ngx_cpymem(p, name.data(), name.size());
        *p++ = ',';
    }
    return {length - 1, text};
}

// --- Where to begin ---

bool SubscribeRequest::readCursor(ngx_http_request_t* r) noexcept {
    std::string_view cursor;
    if (!findCursor(r, cursor)) {
        return fail();
    }
    if (cursor.empty()) {
        return readStart(r);
    }
    subscription_.from.requested = cursor;
    if (!setCursor(cursor)) {
        subscription_.from.kind = Beginning::Kind::PublisherId;
    }
    return true;
}

// Takes an id as on the wire: the log's, perhaps followed by a "~" and the publisher id. false for anything
// else: that is a publisher id alone, or nothing at all, and the log will find out which.
bool SubscribeRequest::setCursor(std::string_view text) noexcept {
    std::optional<EventId> id = parseEventId(text.substr(0, text.find('~')));
    subscription_.from.cursor = id.value_or(EventId{});
    return id.has_value();
}

bool SubscribeRequest::readStart(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    std::string_view text;
    switch (config.startMode()) {
    case Start::New:
        subscription_.from.kind = Beginning::Kind::Now;
        return true;
    case Start::Earliest:
        return true; // the cursor is the beginning
    case Start::Last:
        subscription_.from.history.count =
            std::min<uint64_t>(subscription_.from.history.count, config.startCount);
        return true;
    case Start::Expression:
        break;
    }
    return evaluateDecoded(r, config.startExpression, text) ? setStart(text) : fail();
}

bool SubscribeRequest::setStart(std::string_view text) noexcept {
    constexpr std::string_view kLast = "last=";
    if (text.empty() || text == "new") {
        subscription_.from.kind = Beginning::Kind::Now;
        return true;
    }
    if (text == "earliest") {
        return true;
    }
    if (text.starts_with(kLast)) {
        ngx_str_t digits = ngxString(dropFirst(text, kLast.size()));
        ngx_int_t count = ngx_atoi(digits.data, digits.len);
        subscription_.from.history.count =
            std::min<uint64_t>(subscription_.from.history.count, static_cast<uint64_t>(count));
        return count > 0 || refuseWith(Refusal::BadStart);
    }
    subscription_.from.requested = text;
    return setCursor(text) || refuseWith(Refusal::BadStart);
}

// --- A stream, or an answer in one piece ---

bool SubscribeRequest::readForm(ngx_http_request_t* r) noexcept {
    subscription_.isPadded = isFlagSet(*r, "padding");
    subscription_.isPoll = locationConfig(r)->poll != 0 && (isFlagSet(*r, "poll") || prefersJson(*r));
    if (!subscription_.isPoll) {
        return true;
    }
    std::string_view text;
    if (!firstArgument(r, "wait", text)) {
        return fail();
    }
    ngx_str_t digits = ngxString(text);
    const ngx_int_t seconds = text.empty() ? 0 : ngx_atoi(digits.data, digits.len);
    subscription_.wait = static_cast<ngx_msec_t>(seconds) * 1000;
    return (seconds >= 0 && seconds <= kMostWait) || refuseWith(Refusal::BadWaitTime);
}

} // namespace sse
