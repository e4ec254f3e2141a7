// A budget of time: how long work may go on in one turn of the event loop, so that the worker's other
// connections do not wait for it.
#pragma once

#include <cstdint>

#include <time.h>

namespace sse {

// How long a worker reads the logs, delivers and does queued work, in microseconds, before it serves its
// connections again: the longest time that a request waits for that work. The same limit applies to
// everything else that has a turn.
inline constexpr uint64_t kTurnTime = 1000;

class Budget {
public:
    explicit Budget(uint64_t microseconds) noexcept : start_(now()), end_(start_ + microseconds * 1000) {}

    bool isSpent() const noexcept { return now() >= end_; }
    // Nanoseconds since it was made.
    uint64_t spent() const noexcept { return now() - start_; }

private:
    // nginx's own clock stands still during a turn.
    static uint64_t now() noexcept {
        timespec now{};
        clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
    }

    uint64_t start_; // nanoseconds
    uint64_t end_;
};

} // namespace sse
