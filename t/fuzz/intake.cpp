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

constexpr size_t kHead = 6; // bytes of the input that say how the others are taken
constexpr size_t kMostStaged = 32 * 1024;
constexpr size_t kMostChannels = 3;
constexpr size_t kMostNames = kMostChannels * sse::kMaxPackedName;

struct Result {
    Refusal refusal = Refusal::None;
    std::string place; // of the fault
    std::vector<TakenEvent> events;
    uint64_t repaired = 0;

    bool operator==(const Result&) const = default;
};

// How the bytes are taken.
struct Choice {
    uint8_t framing;
    uint8_t flags;
};

Intake::Options optionsBy(Choice by) {
    const uint8_t choice = by.flags;
    return {.framing = static_cast<Intake::Framing>(by.framing % 6),
            .maxData = (choice & 4) != 0 ? 128u : 16u,
            .maxEvents = (choice & 16) != 0 ? 0u : 3u,
            .repair = (choice & 32) != 0,
            .ignoreIds = (choice & 64) != 0,
            .maxChannels = kMostChannels,
            .mayEnd = (choice & 2) != 0};
}

size_t maxRenderedBy(Choice choice) {
    return (choice.flags & 8) != 0 ? 4096 : 40;
}

void setDefaults(Intake& intake, Choice choice) {
    if ((choice.flags & 128) != 0) {
        require(intake.setType("own:default", true) == Refusal::None);
        require(intake.setRetry("700") == Refusal::None);
        require(intake.setPublisherId("mine") ==
                (intake.isStream() ? Refusal::PublisherIdForMany : Refusal::None));
    }
}

std::string textOf(const sse::RefusalPlace& place) {
    return std::string(place.field.value_or("no field")) + " " +
           std::to_string(place.envelope.value_or(UINT64_MAX)) + " " + std::to_string(place.at);
}

// Names that may be there, each once.
void checkChannels(const TakenEvent& event) {
    require(event.channels.size() <= kMostChannels);
    for (const std::string& channel : event.channels) {
        require(sse::isChannelName(channel) && !channel.starts_with("own"));
        require(std::count(event.channels.begin(), event.channels.end(), channel) == 1);
    }
}

// An event as a browser would read it: one, whose data is not larger than may be.
void checkEvent(const TakenEvent& event, Choice choice) {
    checkChannels(event);
    require(!event.ends || optionsBy(choice).mayEnd);
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
Result takeIn(std::string_view text, Choice choice, std::vector<size_t> lengths) {
    const Intake::Options options = optionsBy(choice);
    Taken taken(options, maxRenderedBy(choice));
    setDefaults(taken.intake, choice);
    Result result;
    const size_t length = text.size();
    if (std::all_of(lengths.begin(), lengths.end(), [](size_t length) { return length == 0; })) {
        lengths = {text.size() + 1};
    }
    for (size_t i = 0; !text.empty() && result.refusal == Refusal::None; ++i) {
        const size_t size = std::min(lengths[i % lengths.size()], text.size());
        const std::unique_ptr<char[]> exact(new char[size]);
        text.copy(exact.get(), size);
        text.remove_prefix(size);
        result.refusal = taken.intake.feed({exact.get(), size});
        taken.intake.release();
        require(taken.intake.held() <= taken.intake.maxBody() + 2 * kMostNames);
        require(!taken.intake.isStream() || !taken.intake.isBetweenEvents() || taken.intake.held() == 0 ||
                result.refusal != Refusal::None);
    }
    if (result.refusal == Refusal::None) {
        result.refusal = taken.intake.finish();
    }
    for (const size_t size : taken.sizes) {
        require(size > 0 && size < kMostStaged + kMostNames +
                                       kMostChannels * (maxRenderedBy(choice) + 2 * sizeof(uint32_t)));
    }
    require(taken.intake.accepted() == taken.events.size());
    require(options.maxEvents == 0 || taken.events.size() <= options.maxEvents);
    require(taken.intake.isStream() || taken.events.size() <= 1);
    if (const auto& place = taken.intake.place(); place.has_value()) {
        require(result.refusal != Refusal::None && place->at <= length);
        require(place->envelope.value_or(0) <= taken.events.size());
        result.place = textOf(*place);
    } else {
        require(result.refusal == Refusal::None || options.framing < Intake::Framing::Form);
    }
    result.events = std::move(taken.events);
    result.repaired = taken.intake.repaired();
    return result;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < kHead) {
        return 0;
    }
    const Choice choice{data[0], data[1]};
    const std::string_view text(reinterpret_cast<const char*>(data) + kHead, size - kHead);
    const Result whole = takeIn(text, choice, {text.size() + 1});
    require(takeIn(text, choice, {data + 2, data + kHead}) == whole);
    require(takeIn(text, choice, {1}) == whole);
    for (const TakenEvent& event : whole.events) {
        checkEvent(event, choice);
    }
    require((choice.flags & 32) == 0 || whole.refusal != Refusal::BadUtf8);
    require((choice.flags & 32) != 0 || whole.repaired == 0);
    return 0;
}
