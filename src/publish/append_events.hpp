// Appends events to the log of a zone, whatever has staged them: no request is needed.
#pragma once

#include <optional>

#include "http/refusals.hpp"
#include "log/writer.hpp"
#include "publish/preconditions.hpp"
#include "sse/staged_events.hpp"
#include "zone.hpp"

namespace sse {

// A channel.
struct ChannelKey {
    std::string_view name; // 1 to kMaxChannelName bytes
    uint64_t hash;         // Log::hash(name)
};

// What became of staged events.
struct AppendedEvents {
    AppendStatus status = AppendStatus::Ok; // of the first that could not be appended
    Verdict verdict;                        // of the preconditions
    uint64_t count = 0;                     // how many were appended, from the first on
    uint64_t copies = 0;                    // the same, but one for several channels counts once for each
    uint64_t bytes = 0;                     // of the copies, as subscribers get them
    EventId lastId;                         // of the last of these; zero if there is none
    std::string_view lastPublisherId;       // its publisher id, a view of the staged bytes
    std::string_view lastChannel;           // the last of its channels, a view of the key or the staged bytes
    bool ended = false;                     // that channel has ended with it
    uint32_t subscribers = 0;               // of that channel, all workers together
    ListenerSet listeners{};                // the workers to wake after the zone's lock is released
};

struct AppendOptions {
    bool reopen = true; // a channel that has ended begins again
    bool end = false;   // `channel` ends with the last of the events, if that one goes to it
    bool whole = false; // all of them or none; they become visible together, and all go to `channel`
    // The stamp is that of the last event.
    const Preconditions* preconditions = nullptr;
};

// Whether the channel ends with the event.
inline bool endsWith(const StagedEvent& event, const AppendOptions& options) noexcept {
    return event.ends || (options.end && event.isLast && event.channels.empty());
}

// How the client is told; None if the events have been appended, now or before.
Refusal refusalOf(const Verdict& verdict) noexcept;
Refusal refusalOf(const AppendedEvents& appended) noexcept;
// What the client has to know if the preconditions do not hold.
RefusalFacts factsOf(const Verdict& verdict) noexcept;

// Appends the events in order, to `channel` or to those that they name. All of them are appended under one
// hold of the zone's lock, so there should not be too many. Stops at the first event that the log does not
// accept; that event is then in none of its channels. Those before it stay, unless all events or none are
// wanted. The caller wakes the listeners (Worker::wake).
AppendedEvents appendEvents(Zone& zone, const ChannelKey& channel, const StagedEvents& events,
                            const AppendOptions& options) noexcept;

// Ends a channel. A channel that has ended already stays as it is: the result is that end, or the status
// Ended if the request has a stamp. nullopt: there is no such channel. An end is not counted.
std::optional<AppendedEvents> appendEnd(Zone& zone, const ChannelKey& channel,
                                        const Preconditions& preconditions) noexcept;

// How many of the events, from the first on, may be appended if channels that have ended do not begin again.
// nullopt: the lock is not available.
std::optional<size_t> countOpen(const Zone& zone, const ChannelKey& channel,
                                const StagedEvents& events) noexcept;

// What the zone knows of a channel.
struct KnownChannel {
    bool exists = false; // it has a record, or a subscriber
    bool ended = false;  // its newest record is an end
    EventId endId{};     // of that
    uint32_t subscribers = 0;
    bool isOfOldZone = false; // a retired log has said that, which does not know what has come since
};
// nullopt: the lock is not available.
std::optional<KnownChannel> lookUp(const Zone& zone, const ChannelKey& channel) noexcept;

} // namespace sse
