#include "http/arrival.hpp"

#include <algorithm>

#include "sse/validate.hpp"

namespace sse {

namespace {

// Where clients put the cursor: browsers into the header, polyfills and hand-written clients into the query.
constexpr std::string_view kCursorArguments[] = {"last_event_id", "lastEventId", "lastEventID"};

// The first cursor that is not empty.
ngx_int_t findCursor(ngx_http_request_t* r, std::string_view& cursor) noexcept {
    const LocationConfig& config = *locationConfig(r);
    if (config.cursors != nullptr) {
        auto* expressions = static_cast<ngx_http_complex_value_t*>(config.cursors->elts);
        for (ngx_uint_t i = 0; i < config.cursors->nelts && cursor.empty(); ++i) {
            if (!evaluateDecoded(r, &expressions[i], cursor)) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }
        return NGX_OK;
    }
    cursor = view(requestHeader(r, "last-event-id"));
    for (std::string_view name : kCursorArguments) {
        if (cursor.empty()) {
            cursor = lastArgument(r, name);
        }
    }
    return NGX_OK;
}

} // namespace

ngx_int_t ArrivalReader::read(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    arrival_.history.count = config.historyCount;
    if (config.historyAge != 0) {
        auto age = static_cast<uint64_t>(config.historyAge) * 1000;
        arrival_.history.since = unixMilliseconds() > age ? unixMilliseconds() - age : 0;
    }
    ngx_int_t rc = readChannels(r);
    return rc == NGX_OK ? readCursor(r) : rc;
}

// --- Channels ---

ngx_int_t ArrivalReader::readChannels(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    auto* expressions = static_cast<ngx_http_complex_value_t*>(config.channels->elts);
    for (ngx_uint_t i = 0; i < config.channels->nelts; ++i) {
        ngx_str_t list;
        if (ngx_http_complex_value(r, &expressions[i], &list) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        ngx_int_t rc = addChannels(r, view(list), config.separator);
        if (rc != NGX_OK) {
            return rc;
        }
    }
    if (count_ == 0) {
        return refuse(r, NGX_HTTP_BAD_REQUEST, "no channel");
    }
    arrival_.channels = {names_, count_};
    return NGX_OK;
}

// Without a separator a value is one name, whatever is in it.
ngx_int_t ArrivalReader::addChannels(ngx_http_request_t* r, std::string_view list,
                                     u_char separator) noexcept {
    ngx_int_t rc = NGX_OK;
    while (rc == NGX_OK && !list.empty()) {
        size_t end = separator == 0 ? std::string_view::npos : list.find(static_cast<char>(separator));
        rc = addChannel(r, list.substr(0, end));
        list = end == std::string_view::npos ? std::string_view() : without(list, end + 1);
    }
    return rc;
}

ngx_int_t ArrivalReader::addChannel(ngx_http_request_t* r, std::string_view name) noexcept {
    if (name.empty() || std::find(names_, names_ + count_, name) != names_ + count_) {
        return NGX_OK;
    }
    if (!isChannelName(name)) {
        return refuse(r, NGX_HTTP_BAD_REQUEST, "invalid channel name");
    }
    if (count_ == Subscriber::kMaxChannels) {
        return refuse(r, NGX_HTTP_BAD_REQUEST, "too many channels");
    }
    names_[count_++] = name;
    return NGX_OK;
}

ngx_str_t ArrivalReader::joinedNames(ngx_pool_t* pool) const noexcept {
    if (count_ == 1) {
        return ngxString(names_[0]);
    }
    size_t length = 0;
    for (std::string_view name : arrival_.channels) {
        length += name.size() + 1;
    }
    auto* text = static_cast<u_char*>(ngx_pnalloc(pool, length));
    if (text == nullptr) {
        return {0, nullptr};
    }
    u_char* p = text;
    for (std::string_view name : arrival_.channels) {
        p = ngx_cpymem(p, name.data(), name.size());
        *p++ = ',';
    }
    return {length - 1, text};
}

// --- Where to begin ---

ngx_int_t ArrivalReader::readCursor(ngx_http_request_t* r) noexcept {
    std::string_view cursor;
    ngx_int_t rc = findCursor(r, cursor);
    if (rc != NGX_OK) {
        return rc;
    }
    if (cursor.empty()) {
        return readStart(r);
    }
    arrival_.requested = cursor;
    setCursor(cursor);
    return NGX_OK;
}

// An id as it stands on the wire: ours, and behind a "~" perhaps the publisher's. Anything else is the
// publisher's alone, or nothing at all, which the log will find out. Returns whether it was ours.
bool ArrivalReader::setCursor(std::string_view text) noexcept {
    std::optional<EventId> id = parseEventId(text.substr(0, text.find('~')));
    if (id) {
        arrival_.cursor = *id;
    } else {
        arrival_.isOwnId = true;
    }
    return id.has_value();
}

ngx_int_t ArrivalReader::readStart(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    std::string_view text;
    switch (static_cast<Start>(config.start)) {
    case Start::New:
        arrival_.fromNow = true;
        return NGX_OK;
    case Start::Earliest:
        return NGX_OK; // the cursor is the beginning
    case Start::Last:
        arrival_.history.count = std::min<uint64_t>(arrival_.history.count, config.startCount);
        return NGX_OK;
    case Start::Expression:
        if (!evaluateDecoded(r, config.startExpression, text)) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        break;
    }

    constexpr std::string_view kLast = "last=";
    if (text.empty() || text == "new") {
        arrival_.fromNow = true;
    } else if (text.starts_with(kLast)) {
        ngx_str_t digits = ngxString(without(text, kLast.size()));
        ngx_int_t count = ngx_atoi(digits.data, digits.len);
        if (count == NGX_ERROR) {
            return refuse(r, NGX_HTTP_BAD_REQUEST, "invalid start");
        }
        arrival_.history.count = std::min<uint64_t>(arrival_.history.count, static_cast<uint64_t>(count));
    } else if (text != "earliest") {
        arrival_.requested = text;
        if (!setCursor(text)) {
            return refuse(r, NGX_HTTP_BAD_REQUEST, "invalid start");
        }
    }
    return NGX_OK;
}

} // namespace sse
