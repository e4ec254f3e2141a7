// Events do not depend on how the stream is cut; each keeps the rules, and comes back when it is encoded and
// parsed.
#include "sse/parse.hpp"

#include <vector>

#include "log/event_id.hpp"
#include "pieces.hpp"
#include "sse/encode.hpp"
#include "sse/percent.hpp"
#include "sse/validate.hpp"

namespace {

constexpr size_t kMaxEvent = 128;

struct Parsed {
    std::string type;
    std::string data;
    std::string publisherId;
    uint32_t retry;

    bool operator==(const Parsed&) const = default;
};

struct Result {
    sse::ParseStatus status = sse::ParseStatus::Ok;
    std::vector<Parsed> events;
    uint64_t replaced = 0;

    bool operator==(const Result&) const = default;
};

void checkRules(const sse::Event& event) {
    require(event.data.size() <= kMaxEvent);
    require(sse::isUtf8(event.data));
    require(event.data.find('\r') == std::string_view::npos);
    require(event.type.empty() || sse::isEventType(event.type));
    require(event.publisherId.size() <= sse::kMaxPublisherId);
    require(sse::publisherIdOnWire(event.publisherId).view() == event.publisherId);
    require(!sse::parseEventId(event.publisherId.substr(0, event.publisherId.find('~'))));
    require(event.retryMilliseconds == 0 ||
            (event.retryMilliseconds >= sse::kMinRetry && event.retryMilliseconds <= sse::kMaxRetry));
}

Result parse(std::string_view text, size_t length, const sse::ParserOptions& options = {}) {
    Result result;
    sse::EventParser parser(kMaxEvent, options);
    auto sink = [&](const sse::Event& event) {
        checkRules(event);
        result.events.push_back({std::string(event.type), std::string(event.data),
                                 std::string(event.publisherId), event.retryMilliseconds});
        return true;
    };
    eachPiece(text, length, [&](std::string_view piece) {
        result.status = parser.feed(piece, sink);
        require(parser.held() <= kMaxEvent);
        if (!parser.inEvent()) {
            parser.release();
            require(parser.held() == 0);
        }
        return result.status == sse::ParseStatus::Ok;
    });
    if (result.status == sse::ParseStatus::Ok) {
        result.status = parser.finish();
    }
    result.replaced = parser.replaced();
    return result;
}

std::string encode(const Parsed& parsed) {
    const sse::Event event{parsed.type, parsed.data, parsed.publisherId, parsed.retry};
    std::string id = parsed.publisherId; // as it was before it was escaped
    id.resize(sse::percentDecode(id, id.data()));
    const std::string idLine = id.empty() ? "" : "id: " + id + "\n";
    std::string fields(encodedSize(event), '\0');
    require(encodeFields(event, fields.data()) == fields.data() + fields.size());
    return idLine + fields;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Result whole = parse(text, text.size() + 1);
    require(parse(text, 1u + data[0]) == whole);

    const Result repaired = parse(text, text.size() + 1, {.repair = true});
    require(parse(text, 1u + data[0], {.repair = true}) == repaired);
    require(repaired.status != sse::ParseStatus::BadUtf8);
    require(whole.status == sse::ParseStatus::BadUtf8 || repaired == whole);
    require(repaired.events.size() >= whole.events.size());

    std::string stream;
    for (const Parsed& parsed : whole.events) {
        stream += encode(parsed);
    }
    const Result again = parse(stream, 1u + data[0]);
    require(again.status == sse::ParseStatus::Ok && again.events == whole.events);
    return 0;
}
