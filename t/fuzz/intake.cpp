// Any bytes of a publisher, by every framing and with small limits: what is staged does not depend on how
// they are cut, keeps the limits, and is one event each.
#include "publish/intake.hpp"

#include <algorithm>
#include <memory>

#include "pieces.hpp"
#include "taken.hpp"

using sse::Intake;
using sse::Refusal;

namespace {

constexpr size_t kHead = 5; // bytes of the input that say how the others are taken
constexpr size_t kMostStaged = 32 * 1024;

struct Result {
    Refusal refusal = Refusal::None;
    std::vector<TakenEvent> events;
    uint64_t repaired = 0;

    bool operator==(const Result&) const = default;
};

Intake::Options optionsBy(uint8_t choice) {
    return {.framing = static_cast<Intake::Framing>(choice & 3),
            .maxData = (choice & 4) != 0 ? 128u : 16u,
            .maxEvents = (choice & 16) != 0 ? 0u : 3u,
            .repair = (choice & 32) != 0,
            .ignoreIds = (choice & 64) != 0};
}

size_t maxRenderedBy(uint8_t choice) {
    return (choice & 8) != 0 ? 4096 : 40;
}

void setDefaults(Intake& intake, uint8_t choice) {
    if ((choice & 128) != 0) {
        require(intake.setType("own:default", true) == Refusal::None);
        require(intake.setRetry("700") == Refusal::None);
        require(intake.setPublisherId("mine") ==
                (intake.isStream() ? Refusal::PublisherIdForMany : Refusal::None));
    }
}

// An event as a browser would read it: one, whose data is not larger than may be.
void checkEvent(const TakenEvent& event, uint8_t choice) {
    require(event.publisherId.size() + event.fields.size() <= maxRenderedBy(choice));
    require(event.publisherId.empty() ||
            sse::publisherIdOnWire(event.publisherId).view() == event.publisherId);
    size_t count = 0;
    sse::EventParser parser(optionsBy(choice).maxData);
    auto sink = [&](const sse::Event& parsed) {
        require(parsed.publisherId.empty());
        require(!parsed.type.starts_with("own") || parsed.type == "own:default");
        return ++count == 1;
    };
    require(parser.feed(event.fields, sink) == sse::ParseStatus::Ok);
    require(parser.finish() == sse::ParseStatus::Ok && count == 1);
}

// Feeds pieces of these lengths, in turn; 0 is an empty one.
Result takeIn(std::string_view text, uint8_t choice, std::vector<size_t> lengths) {
    const Intake::Options options = optionsBy(choice);
    Taken taken(options, maxRenderedBy(choice));
    setDefaults(taken.intake, choice);
    Result result;
    if (std::all_of(lengths.begin(), lengths.end(), [](size_t length) { return length == 0; })) {
        lengths = {text.size() + 1};
    }
    for (size_t i = 0; !text.empty() && result.refusal == Refusal::None; ++i) {
        const size_t length = std::min(lengths[i % lengths.size()], text.size());
        const std::unique_ptr<char[]> exact(new char[length]);
        text.copy(exact.get(), length);
        text.remove_prefix(length);
        result.refusal = taken.intake.feed({exact.get(), length});
        taken.intake.release();
        require(taken.intake.held() <= taken.intake.maxBody());
        require(!taken.intake.isStream() || !taken.intake.isBetweenEvents() || taken.intake.held() == 0 ||
                result.refusal != Refusal::None);
    }
    if (result.refusal == Refusal::None) {
        result.refusal = taken.intake.finish();
    }
    for (const size_t size : taken.sizes) {
        require(size > 0 && size < kMostStaged + maxRenderedBy(choice) + 2 * sizeof(uint32_t));
    }
    require(taken.intake.accepted() == taken.events.size());
    require(options.maxEvents == 0 || taken.events.size() <= options.maxEvents);
    require(options.framing != Intake::Framing::Event || taken.events.size() <= 1);
    result.events = std::move(taken.events);
    result.repaired = taken.intake.repaired();
    return result;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < kHead) {
        return 0;
    }
    const uint8_t choice = data[0];
    const std::string_view text(reinterpret_cast<const char*>(data) + kHead, size - kHead);
    const Result whole = takeIn(text, choice, {text.size() + 1});
    require(takeIn(text, choice, {data + 1, data + kHead}) == whole);
    require(takeIn(text, choice, {1}) == whole);
    for (const TakenEvent& event : whole.events) {
        checkEvent(event, choice);
    }
    require((choice & 32) == 0 || whole.refusal != Refusal::BadUtf8);
    require((choice & 32) != 0 || whole.repaired == 0);
    return 0;
}
