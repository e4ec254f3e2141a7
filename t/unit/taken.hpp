// An intake and what its owner has taken of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "publish/intake.hpp"

struct TakenEvent {
    std::vector<std::string> channels; // empty: the usual one
    bool ends;
    std::string publisherId;
    std::string fields;

    bool operator==(const TakenEvent&) const = default;
};

// Types that begin with "own" are reserved, and channels that do are not allowed. `maxRendered`: bytes that
// the publisher id and the fields of an event may have together.
class Taken {
public:
    explicit Taken(const sse::Intake::Options& options, size_t maxRendered = 2000)
        : intake(options, {.self = this,
                           .take = take,
                           .fits = fits,
                           .isReserved = isReserved,
                           .checkChannel = checkChannel}),
          maxRendered_(maxRendered) {}

    sse::Intake intake;
    std::vector<TakenEvent> events;
    std::vector<size_t> sizes; // bytes that were staged, each time
    sse::Refusal answer = sse::Refusal::None;
    sse::Refusal usual = sse::Refusal::None; // of events that name no channel

    // Of the events, as a subscriber would see them if the log gave no ids; before each where it goes.
    std::string text() const {
        std::string all;
        for (const TakenEvent& event : events) {
            for (const std::string& channel : event.channels) {
                all += (&channel == event.channels.data() ? "to: " : ",") + channel;
            }
            all += event.channels.empty() ? "" : "\n";
            all += event.ends ? "ends\n" : "";
            all += (event.publisherId.empty() ? "" : "id: ~" + event.publisherId + "\n") + event.fields;
        }
        return all;
    }

private:
    static sse::Refusal take(void* self, const sse::StagedEvents& staged) noexcept {
        auto& taken = *static_cast<Taken*>(self);
        taken.sizes.push_back(staged.size());
        staged.each([&](const sse::StagedEvent& event) {
            std::vector<std::string> channels;
            sse::eachName(event.channels, [&](std::string_view name) {
                channels.emplace_back(name);
                return true;
            });
            taken.events.push_back(
                {std::move(channels), event.ends, std::string(event.publisherId), std::string(event.fields)});
            return true;
        });
        return taken.answer;
    }
    static bool fits(void* self, std::string_view, size_t publisherId, size_t fields) noexcept {
        return publisherId + fields <= static_cast<Taken*>(self)->maxRendered_;
    }
    static bool isReserved(void*, std::string_view type) noexcept { return type.starts_with("own"); }
    static sse::Refusal checkChannel(void* self, std::string_view channel) noexcept {
        return channel.empty()              ? static_cast<Taken*>(self)->usual
               : channel.starts_with("own") ? sse::Refusal::ForeignChannel
                                            : sse::Refusal::None;
    }

    size_t maxRendered_;
};
