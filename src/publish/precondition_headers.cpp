#include "publish/precondition_headers.hpp"

#include <algorithm>
#include <charconv>

#include "http/request.hpp"

namespace sse {

namespace {

// Whether the request has been addressed to something else, which nginx has asked or tried, or for which
// nginx acts now (post_action). Then its demands are meant for that. A request whose URI has been rewritten
// (rewrite, try_files) is still the client's own, and its client relies on what it demands.
//
// nginx-internal: http/ngx_http_upstream.c, http/ngx_http_special_response.c
// (1.22.1, 1.26.3, 1.30.4, 1.31.4): an upstream stays with the request after X-Accel-Redirect. An error page
// sets `error_page`, or with recursive_error_pages no more than `err_status`, and not even that if the page
// gives the status ("=").
bool isPassedOn(const ngx_http_request_t& r) noexcept {
    return &r != r.main || r.upstream != nullptr || r.error_page || r.err_status != 0 || r.post_action;
}

// The value of a header that may come once; nullopt if there is none. `isValid` becomes false if it has no
// value, or if there are several.
std::optional<std::string_view> singleHeader(const ngx_http_request_t& r, std::string_view name,
                                             bool& isValid) noexcept {
    const size_t count = countHeaders(r, name);
    const std::string_view value = onlyHeader(r, name);
    isValid = isValid && (count == 0 || !value.empty());
    return count == 0 ? std::nullopt : std::optional(value);
}

// A name that a publisher has chosen: visible ASCII and spaces, with quotes around it (RFC 9651, 3.3.3) or
// without. Empty: the text is not one.
std::string_view stampName(std::string_view text) noexcept {
    if (text.size() > 1 && text.front() == '"' && text.back() == '"') {
        text = {text.data() + 1, text.size() - 2};
    }
    const bool isValid = text.size() <= kMaxStampName &&
                         std::all_of(text.begin(), text.end(),
                                     [](char c) noexcept { return c >= ' ' && c <= '~' && c != '"'; });
    return isValid ? text : std::string_view();
}

bool readNumber(std::string_view digits, uint64_t& number) noexcept {
    const char* const end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, number);
    return result.ec == std::errc{} && result.ptr == end;
}

Refusal readKey(const ngx_http_request_t& r, Preconditions& preconditions) noexcept {
    bool isValid = true;
    const std::optional<std::string_view> header = singleHeader(r, "idempotency-key", isValid);
    const std::string_view key = stampName(header.value_or(""));
    if (!isValid || (header && key.empty())) {
        return Refusal::BadIdempotencyKey;
    }
    if (header) {
        preconditions.stamp = Stamp::ofKey(key);
    }
    return Refusal::None;
}

Refusal readProducer(const ngx_http_request_t& r, Preconditions& preconditions) noexcept {
    bool isValid = true;
    const std::optional<std::string_view> id = singleHeader(r, "producer-id", isValid);
    const std::optional<std::string_view> epoch = singleHeader(r, "producer-epoch", isValid);
    const std::optional<std::string_view> sequence = singleHeader(r, "producer-seq", isValid);
    if (isValid && !id && !epoch && !sequence) {
        return Refusal::None;
    }
    const std::string_view name = stampName(id.value_or(""));
    ProducerPosition position;
    if (!isValid || name.empty() || !readNumber(epoch.value_or(""), position.epoch) ||
        !readNumber(sequence.value_or(""), position.sequence)) {
        return Refusal::BadProducer;
    }
    if (!preconditions.stamp.empty()) {
        return Refusal::KeyAndProducer;
    }
    preconditions.stamp = Stamp::ofProducer(name, position);
    return Refusal::None;
}

Refusal readEntityTags(const ngx_http_request_t& r, std::string_view name,
                       std::optional<EntityTags>& tags) noexcept {
    bool isValid = true;
    const std::optional<std::string_view> header = singleHeader(r, name, isValid);
    tags = header ? EntityTags::parse(*header) : std::nullopt;
    return isValid && header.has_value() == tags.has_value() ? Refusal::None : Refusal::BadEntityTags;
}

} // namespace

// Most requests have none of these headers, and for them one look is enough.
Refusal readPreconditions(const ngx_http_request_t& r, Preconditions& preconditions) noexcept {
    constexpr std::string_view kHeaders[] = {"idempotency-key", "producer-id", "producer-epoch",
                                             "producer-seq",    "if-match",    "if-none-match"};
    if (isPassedOn(r) || !hasHeaderOf(r, kHeaders)) {
        return Refusal::None;
    }
    for (auto* read : {readKey, readProducer}) {
        if (Refusal refusal = read(r, preconditions); refusal != Refusal::None) {
            return refusal;
        }
    }
    const Refusal refusal = readEntityTags(r, "if-match", preconditions.ifMatch);
    return refusal != Refusal::None ? refusal : readEntityTags(r, "if-none-match", preconditions.ifNoneMatch);
}

} // namespace sse
