#include "counters/counts.hpp"

#include <algorithm>
#include <numeric>

namespace sse {

namespace {

constexpr size_t kWords = sizeof(ZoneSums) / sizeof(uint64_t);
constexpr size_t kCrashed = at(CloseReason::Crashed);

// The counts as a sequence of words: they consist of nothing else.
Counter* wordsOf(ZoneCounts<Counter>& counts) noexcept {
    return reinterpret_cast<Counter*>(&counts);
}
const Counter* wordsOf(const ZoneCounts<Counter>& counts) noexcept {
    return reinterpret_cast<const Counter*>(&counts);
}

} // namespace

// A reader may see the end of a subscriber whose beginning it has not seen.
uint64_t ZoneCounters::open(SubscriberKind kind) const noexcept {
    const uint64_t over =
        std::accumulate(std::begin(closed[at(kind)]), std::end(closed[at(kind)]), uint64_t{0},
                        [](uint64_t sum, const Counter& counter) { return sum + counter.value(); });
    const auto left = static_cast<int64_t>(opened[at(kind)].value() + moved[at(kind)].value() - over);
    return static_cast<uint64_t>(std::max<int64_t>(left, 0));
}

void ZoneCounters::closeCrashed() noexcept {
    for (const SubscriberKind kind : {SubscriberKind::Stream, SubscriberKind::Poll}) {
        closed[at(kind)][kCrashed].add(open(kind));
    }
}

void ZoneCounters::takeOpenOf(ZoneCounters& before) noexcept {
    for (const SubscriberKind kind : {SubscriberKind::Stream, SubscriberKind::Poll}) {
        const uint64_t count = before.open(kind);
        moved[at(kind)].add(count);
        before.moved[at(kind)].subtract(count);
    }
}

void ZoneCounters::addAll(const ZoneCounters& other) noexcept {
    for (size_t i = 0; i < kWords; ++i) {
        wordsOf(*this)[i].add(wordsOf(other)[i].value());
    }
}

void addTo(ZoneSums& sums, const ZoneSums& others) noexcept {
    auto* words = reinterpret_cast<uint64_t*>(&sums);
    const auto* more = reinterpret_cast<const uint64_t*>(&others);
    for (size_t i = 0; i < kWords; ++i) {
        words[i] += more[i];
    }
}

std::array<uint64_t, kKinds<SubscriberKind>> addTo(ZoneSums& sums, const ZoneCounters& place,
                                                   bool isAlive) noexcept {
    auto* words = reinterpret_cast<uint64_t*>(&sums);
    for (size_t i = 0; i < kWords; ++i) {
        words[i] += wordsOf(place)[i].value();
    }
    std::array<uint64_t, kKinds<SubscriberKind>> open{};
    for (const SubscriberKind kind : {SubscriberKind::Stream, SubscriberKind::Poll}) {
        (isAlive ? open[at(kind)] : sums.closed[at(kind)][kCrashed]) += place.open(kind);
    }
    return open;
}

} // namespace sse
