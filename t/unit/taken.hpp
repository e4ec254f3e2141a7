// An intake and what its owner has taken of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "publish/intake.hpp"

struct TakenEvent {
    std::string publisherId;
    std::string fields;

    bool operator==(const TakenEvent&) const = default;
};

// Types that begin with "own" are reserved. `maxRendered`: bytes that the publisher id and the fields of an
// event may have together.
class Taken {
public:
    explicit Taken(const sse::Intake::Options& options, size_t maxRendered = 2000)
        : intake(options, {.self = this, .take = take, .fits = fits, .isReserved = isReserved}),
          maxRendered_(maxRendered) {}

    sse::Intake intake;
    std::vector<TakenEvent> events;
    std::vector<size_t> sizes; // bytes that were staged, each time
    sse::Refusal answer = sse::Refusal::None;

    // Of the events, as a subscriber would see them if the log gave no ids.
    std::string text() const {
        std::string all;
        for (const TakenEvent& event : events) {
            all += (event.publisherId.empty() ? "" : "id: ~" + event.publisherId + "\n") + event.fields;
        }
        return all;
    }

private:
    static sse::Refusal take(void* self, const sse::StagedEvents& staged) noexcept {
        auto& taken = *static_cast<Taken*>(self);
        taken.sizes.push_back(staged.size());
        staged.each([&](const sse::StagedEvent& event) {
            taken.events.push_back({std::string(event.publisherId), std::string(event.fields)});
            return true;
        });
        return taken.answer;
    }
    static bool fits(void* self, size_t publisherId, size_t fields) noexcept {
        return publisherId + fields <= static_cast<Taken*>(self)->maxRendered_;
    }
    static bool isReserved(void*, std::string_view type) noexcept { return type.starts_with("own"); }

    size_t maxRendered_;
};
