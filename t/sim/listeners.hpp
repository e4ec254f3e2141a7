// What the index of a log must say about its listeners, by the hash of their channel.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "test_log.hpp"

namespace sse::sim {

// Workers that may listen at some time, the dead included until they are forgotten.
inline constexpr uint32_t kSlots = 25;
constexpr uint32_t listenerIdOf(uint32_t slot) {
    return slot * 5; // some in each word of a ListenerSet
}
static_assert(listenerIdOf(kSlots - 1) < kExclusiveListeners);

class Listeners {
public:
    // If a worker dies in the middle of a change, a `Maybe` remains.
    enum class Mark : uint8_t { No, Yes, Maybe };

    // The channels with one hash.
    struct Group {
        std::array<Mark, kSlots> marks{};
        std::optional<uint32_t> subscribers = 0; // unknown from such a death to the next census

        bool any(Mark mark) const { return std::find(marks.begin(), marks.end(), mark) != marks.end(); }
        bool isListenedTo() const { return any(Mark::Yes) || any(Mark::Maybe); }
    };

    explicit Listeners(size_t groups) : groups_(groups) {}

    Group& operator[](size_t group) { return groups_[group]; }
    const std::vector<Group>& groups() const { return groups_; }

    // Around a change of the log: the group is uncertain in between. An entry without listeners counts
    // nobody.
    Group begin(size_t group, uint32_t slot) {
        const Group before = groups_[group];
        groups_[group].marks[slot] = Mark::Maybe;
        groups_[group].subscribers.reset();
        return before;
    }
    void end(size_t group, uint32_t slot, Mark mark, const Group& before) {
        Group& now = groups_[group];
        now.marks[slot] = mark;
        const bool wasNobody = mark == Mark::Yes && !before.isListenedTo();
        const bool isNobody = !now.isListenedTo();
        const bool isUncertain = mark == Mark::Yes ? !before.any(Mark::Yes) : !now.any(Mark::Yes);
        now.subscribers = wasNobody || isNobody ? std::optional(0U)
                          : isUncertain         ? std::nullopt
                                                : before.subscribers;
    }

    // Whether the index says the same.
    void check(size_t group, const ListenerSet& set, uint32_t subscribers) const {
        const Group& right = groups_[group];
        for (uint32_t slot = 0; slot < kSlots; ++slot) {
            const uint32_t id = listenerIdOf(slot);
            const bool listens = (set[id / 64] >> id % 64 & 1) != 0;
            assert_true(right.marks[slot] == Mark::Maybe || listens == (right.marks[slot] == Mark::Yes));
        }
        const uint32_t least = set == ListenerSet{} ? 0 : 1;
        assert_true(!right.subscribers || std::max(*right.subscribers, least) == subscribers);
    }

private:
    std::vector<Group> groups_;
};

} // namespace sse::sim
