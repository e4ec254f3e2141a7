// What happens in a zone, in numbers.
//
// Each worker counts for itself, in its own place in shared memory; a count of the zone is the sum over all
// places. A place outlives its worker, and the next worker that takes the place counts on from there. So no
// count is lost when a worker dies, and none goes backwards.
//
// Knows no nginx.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "roster/counter.hpp"

namespace sse {

// --- Kinds that are counted separately ---

// For each enumeration, the names of its values, in their order.
template <typename Kind>
struct NamesOf;
template <typename Kind>
inline constexpr auto& kNames = NamesOf<Kind>::kValue;
template <typename Kind>
inline constexpr size_t kKinds = NamesOf<Kind>::kValue.size();

enum class SubscriberKind : uint8_t { Stream, Poll };
template <>
struct NamesOf<SubscriberKind> {
    static constexpr std::array<std::string_view, 2> kValue = {"stream", "poll"};
};

// How an event gets to a subscriber.
enum class Way : uint8_t {
    Live,   // in a batch of its feed
    Replay, // the subscriber has read it from the log by itself
    Poll,   // in the answer to a poll
};
template <>
struct NamesOf<Way> {
    static constexpr std::array<std::string_view, 3> kValue = {"live", "replay", "poll"};
};

// Why a subscriber does not take the events that its feed hands to it.
enum class Deferral : uint8_t {
    Blocked, // its connection is full
    Behind,  // it reads the log by itself
    Known,   // it has already read them that way
    Ending,  // its stream ends
    Poll,    // a poll is woken, and reads the log
};
template <>
struct NamesOf<Deferral> {
    static constexpr std::array<std::string_view, 5> kValue = {"blocked", "behind", "known", "ending",
                                                               "poll"};
};

// Why a stream or a poll is over.
enum class CloseReason : uint8_t {
    None,
    Client,   // it went away
    Drain,    // the worker is leaving
    Slow,     // no progress within sse_send_timeout
    Gap,      // it has missed events, and sse_gap is "close"
    Ended,    // the channel has ended
    Lifetime, // sse_lifetime is over
    Expired,  // the time of sse_expires has come
    Absent,   // the channel has no events, and sse_absent says not to wait
    Kicked,   // by sse_kick
    Rejected, // there was no room for it, or it was put off by sse_later
    Error,    // out of memory, or a filter failed
    Crashed,  // its worker died: only other processes can report it
};
template <>
struct NamesOf<CloseReason> {
    static constexpr std::array<std::string_view, 13> kValue = {
        "answered", "client", "drain",  "slow",     "gap",   "ended",  "lifetime",
        "expired",  "absent", "kicked", "rejected", "error", "crashed"};
};

// Why a subscriber has missed events.
enum class GapCause : uint8_t {
    Evicted, // they are no longer in the log
    History, // sse_history excludes them
    Unknown, // the log does not know its id
    Lost,    // the source of the events has lost some, or may have
};
template <>
struct NamesOf<GapCause> {
    static constexpr std::array<std::string_view, 4> kValue = {"evicted", "history", "unknown", "lost"};
};

// The outcome of a publish request.
enum class PublishOutcome : uint8_t {
    Published,
    Nothing, // it has been published before, or has no event
    Refused,
    Aborted, // its client has gone
};
template <>
struct NamesOf<PublishOutcome> {
    static constexpr std::array<std::string_view, 4> kValue = {"published", "nothing", "refused", "aborted"};
};

// Why a request is refused, grouped by what an operator can do about it.
enum class RefusalGroup : uint8_t {
    Request,
    Origin,
    Forbidden,
    Event,
    Size,
    Timeout,
    Precondition,
    Ended,
    Absent,
    Gap,
    Expired,
    Kicked,
    Limit,
    Full,
    Locked,
    Drain,
    Bus,
    Error,
};
template <>
struct NamesOf<RefusalGroup> {
    static constexpr std::array<std::string_view, 18> kValue = {
        "request", "origin",  "forbidden", "event", "size", "timeout", "precondition", "ended", "absent",
        "gap",     "expired", "kicked",    "limit", "full", "locked",  "drain",        "bus",   "error"};
};

// --- Histograms ---

// Events of a batch: 1, 2, 4, …, 1024, and more.
struct BatchSizes {
    static constexpr size_t kBounds = 11;
    static constexpr uint64_t bound(size_t bucket) noexcept { return uint64_t{1} << bucket; }
};

// How long a batch takes, in microseconds.
struct Durations {
    static constexpr std::array<uint64_t, 13> kSteps = {1'000,     2'500,     5'000,     10'000,  25'000,
                                                        50'000,    100'000,   250'000,   500'000, 1'000'000,
                                                        2'500'000, 5'000'000, 10'000'000};
    static constexpr size_t kBounds = kSteps.size();
    static constexpr uint64_t bound(size_t bucket) noexcept { return kSteps[bucket]; }
};

// For each bound, the number of values that were at most as large as it and larger than the bound before;
// last, the number of values that were larger than all bounds. The number of all values is the sum of these
// buckets, so the two always agree.
template <typename Word, typename Bounds>
struct Histogram {
    Word buckets[Bounds::kBounds + 1];
    Word sum; // of the values

    void observe(uint64_t value) noexcept {
        size_t bucket = 0;
        while (bucket < Bounds::kBounds && value > Bounds::bound(bucket)) {
            ++bucket;
        }
        buckets[bucket].add(1);
        sum.add(value);
    }
};

// --- The counts ---

// Of a zone. The counts that change with each delivery come first.
template <typename Word>
struct ZoneCounts {
    Word handedOut; // events that a feed has handed to subscribers, once for each subscriber
    Word deferred[kKinds<Deferral>];
    Word deliveredEvents[kKinds<Way>];
    Word deliveredBytes[kKinds<Way>];
    Histogram<Word, BatchSizes> batches;
    Histogram<Word, Durations> fanout;

    // `closed` comes before `opened`, and is read before it, so a reader never finds more closed than opened.
    Word closed[kKinds<SubscriberKind>][kKinds<CloseReason>];
    Word opened[kKinds<SubscriberKind>];
    Word moved[kKinds<SubscriberKind>]; // opened in another place and moved here, less those that moved away
    Word heartbeats;
    Word gaps[kKinds<GapCause>];
    Word subscribeRefusals[kKinds<RefusalGroup>];
    Word kicks;

    Word publishRequests[kKinds<PublishOutcome>];
    Word publishRefusals[kKinds<RefusalGroup>];
    Word publishedBytes;
    Word repairs; // invalid sequences in published text that were replaced
};

// The number of a kind, as an index of these arrays.
template <typename Kind>
constexpr size_t at(Kind kind) noexcept {
    return static_cast<size_t>(kind);
}

// As plain numbers: the sum of some places.
using ZoneSums = ZoneCounts<uint64_t>;

// A worker's place.
struct alignas(64) ZoneCounters : ZoneCounts<Counter> {
    // The number of open streams, or of open polls.
    uint64_t open(SubscriberKind kind) const noexcept;

    // The worker has died, and with it the streams and polls that were open here. A second call does no harm.
    void closeCrashed() noexcept;
    // The worker has moved here from `before`.
    void takeOpenOf(ZoneCounters& before) noexcept;
    // Adds what the worker has counted while it had no place.
    void addAll(const ZoneCounters& other) noexcept;
};
static_assert(std::is_trivially_default_constructible_v<ZoneSums> && alignof(ZoneSums) == sizeof(uint64_t));
static_assert(sizeof(ZoneCounts<Counter>) == sizeof(ZoneSums));

void addTo(ZoneSums& sums, const ZoneSums& others) noexcept;

// Adds the counts of a place. If the worker of that place is not alive, the streams and polls that are open
// there have crashed. Returns how many streams and how many polls are open in it.
std::array<uint64_t, kKinds<SubscriberKind>> addTo(ZoneSums& sums, const ZoneCounters& place,
                                                   bool isAlive) noexcept;

} // namespace sse
