#include "sse/notices.hpp"

#include <charconv>
#include <cstring>

#include "sse/encode.hpp"
#include "sse/json.hpp"

namespace sse {

namespace {

constexpr std::string_view kComment = ":\n";
constexpr std::string_view kNoData = "data: \n\n";

template <typename... Parts>
bool appendAll(Buffer& out, const Parts&... parts) noexcept {
    return (out.append(parts) && ...);
}

bool addId(Buffer& out, std::string_view id) noexcept {
    const IdLine line(id, {});
    return appendAll(out, line.field, line.id, line.lineEnd);
}

bool addType(Buffer& out, std::string_view type) noexcept {
    return appendAll(out, kTypeField, type, "\n");
}

// As configured, not clamped: jitter may exceed the limits for publishers.
bool addRetry(Buffer& out, uint32_t milliseconds) noexcept {
    char digits[10];
    const char* end = std::to_chars(digits, digits + sizeof(digits), milliseconds).ptr;
    return appendAll(out, kRetryField, std::string_view(digits, static_cast<size_t>(end - digits)), "\n");
}

std::string_view textOf(GapReason reason) noexcept {
    switch (reason) {
    case GapReason::Evicted:
        return "evicted";
    case GapReason::Unknown:
        return "unknown";
    case GapReason::Lost:
        break;
    }
    return "lost";
}

// A comment line of kPadding spaces.
bool addPadding(Buffer& out) noexcept {
    constexpr size_t kPadding = 2048;
    char* place = out.extend(kPadding + 2);
    if (place == nullptr) {
        return false;
    }
    *place = ':';
    std::memset(place + 1, ' ', kPadding);
    place[kPadding + 1] = '\n';
    return true;
}

// An object as the data, and the end of the event. JSON contains no line ends.
template <typename Write>
bool addObject(Buffer& out, Write&& write) noexcept {
    if (!out.append(kDataField)) {
        return false;
    }
    JsonWriter json(out);
    json.beginObject();
    write(json);
    json.endObject();
    return json.isComplete() && out.append("\n\n");
}

} // namespace

bool addPreamble(Buffer& out, uint32_t retryMilliseconds, bool isPadded) noexcept {
    return (isPadded ? addPadding(out) : out.append(kComment)) && addRetry(out, retryMilliseconds);
}

bool addReady(Buffer& out, std::string_view id, std::string_view type, uint32_t retryMilliseconds) noexcept {
    return addId(out, id) && addType(out, type) && addRetry(out, retryMilliseconds) &&
           addObject(out, [id](JsonWriter& json) noexcept { json.member("id", id); });
}

bool addPrimingMessage(Buffer& out, std::string_view id) noexcept {
    return addId(out, id) && out.append(kNoData);
}

void addFacts(JsonWriter& json, const GapFacts& facts) noexcept {
    json.member("reason", textOf(facts.reason))
        .member("requested", facts.requested)
        .member("start", facts.start);
    if (facts.missed) {
        json.member("missed", *facts.missed);
    }
}

bool addGap(Buffer& out, std::string_view type, const GapFacts& facts) noexcept {
    return addId(out, facts.start) && addType(out, type) &&
           addObject(out, [&facts](JsonWriter& json) noexcept { addFacts(json, facts); });
}

bool addCaughtUp(Buffer& out, std::string_view id, std::string_view type) noexcept {
    return addId(out, id) && addType(out, type) &&
           addObject(out, [id](JsonWriter& json) noexcept { json.member("id", id); });
}

bool addExpired(Buffer& out, std::string_view type, uint64_t seconds) noexcept {
    return addType(out, type) &&
           addObject(out, [seconds](JsonWriter& json) noexcept { json.member("expires", seconds); });
}

bool addEnd(Buffer& out, const EndForm& form) noexcept {
    const bool isNamed = form.type && !form.type->empty();
    const bool isSentinel = form.type && !isNamed;
    if (form.retry && !isSentinel && !addRetry(out, *form.retry)) {
        return false;
    }
    return !form.type ||
           ((!isNamed || addType(out, *form.type)) && appendAll(out, kDataField, form.data, "\n\n"));
}

bool addHeartbeat(Buffer& out, std::string_view type) noexcept {
    return type.empty() ? out.append(kComment) : addType(out, type) && out.append(kNoData);
}

} // namespace sse
