#include "publish/append_events.hpp"

#include "counters/counts.hpp"
#include "log/assert.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// Whether anything is to be appended; if not, the result says why.
bool mayAppend(LogWriter& log, const ChannelKey& channel, const Preconditions* preconditions,
               AppendedEvents& result) noexcept {
    if (log.isRetired()) { // a retired log does not know what has come since
        result.status = AppendStatus::Retired;
        return false;
    }
    if (preconditions == nullptr) {
        return true;
    }
    result.verdict = checkPreconditions(log, channel.name, channel.hash, *preconditions);
    if (result.verdict.kind != Verdict::Kind::Holds) {
        result.status = AppendStatus::Unwanted;
        result.lastId = result.verdict.id;
        result.ended = result.verdict.ended;
        result.subscribers = log.findChannel(channel.hash).subscribers;
        return false;
    }
    return true;
}

// Calls visit(const ChannelKey&) with each channel of an event until it returns false; returns whether it
// never did.
template <typename Visit>
bool eachChannel(const Log& log, const ChannelKey& usual, const StagedEvent& event, Visit&& visit) noexcept {
    return event.channels.empty() ? visit(usual)
                                  : eachName(event.channels, [&](std::string_view name) noexcept {
                                        return visit({name, log.hash(name)});
                                    });
}

bool hasEnded(LogWriter& log, const ChannelKey& channel) noexcept {
    return log.hasEnded(log.findChannel(channel.hash), channel.name);
}

// Whether none of the channels of an event has ended.
bool isOpen(LogWriter& log, const ChannelKey& usual, const StagedEvent& event) noexcept {
    return eachChannel(log, usual, event,
                       [&log](const ChannelKey& channel) noexcept { return !hasEnded(log, channel); });
}

NewEvent newEvent(const ChannelKey& channel, const StagedEvent& event,
                  const AppendOptions& options) noexcept {
    const bool isStamped = event.isLast && options.preconditions != nullptr;
    return {.channel = channel.name,
            .hash = channel.hash,
            .publisherId = event.publisherId,
            .stamp = isStamped ? options.preconditions->stamp.bytes() : std::string_view(),
            .end = endsWith(event, options),
            .fields = event.fields};
}

void note(const ChannelKey& channel, const Appended& appended, bool ended, AppendedEvents& result) noexcept {
    result.bytes += appended.bytes;
    result.lastId = appended.id;
    result.lastChannel = channel.name;
    result.ended = ended;
    result.subscribers = appended.subscribers;
    for (size_t i = 0; i < result.listeners.size(); ++i) {
        result.listeners[i] |= appended.listeners[i];
    }
}

// Appends the event to each of its channels.
AppendStatus append(LogWriter& log, const ChannelKey& usual, const StagedEvent& event,
                    const AppendOptions& options, uint64_t now, AppendedEvents& result) noexcept {
    AppendStatus status = AppendStatus::Ok;
    eachChannel(log, usual, event, [&](const ChannelKey& channel) noexcept {
        const Appended appended = log.append(newEvent(channel, event, options), now);
        status = appended.status;
        if (status == AppendStatus::Ok) {
            ++result.copies;
            note(channel, appended, endsWith(event, options), result);
        }
        return status == AppendStatus::Ok;
    });
    return status;
}

void appendOneByOne(LogWriter& log, const ChannelKey& channel, const StagedEvents& events,
                    const AppendOptions& options, AppendedEvents& result) noexcept {
    const uint64_t now = unixMilliseconds();
    events.each([&](const StagedEvent& event) noexcept {
        result.status = options.reopen || isOpen(log, channel, event)
                            ? append(log, channel, event, options, now, result)
                            : AppendStatus::Ended;
        if (result.status != AppendStatus::Ok) {
            return false;
        }
        ++result.count;
        result.lastPublisherId = event.publisherId;
        return true;
    });
}

void appendTogether(LogWriter& log, const ChannelKey& channel, const StagedEvents& events,
                    const AppendOptions& options, AppendedEvents& result) noexcept {
    if (!options.reopen && hasEnded(log, channel)) {
        result.status = AppendStatus::Ended;
        return;
    }
    Draft draft = log.begin(unixMilliseconds());
    uint64_t count = 0;
    bool ended = false;
    events.each([&](const StagedEvent& event) noexcept {
        SSE_ASSERT(event.channels.empty());
        result.status = ended && !options.reopen ? AppendStatus::Ended
                                                 : log.add(draft, newEvent(channel, event, options));
        result.lastPublisherId = event.publisherId;
        ended = endsWith(event, options);
        ++count;
        return result.status == AppendStatus::Ok;
    });
    if (result.status == AppendStatus::Ok) {
        result.count = result.copies = count;
        note(channel, log.commit(draft), ended, result);
    } else {
        log.abandon(draft);
    }
}

KnownChannel lookUp(LogWriter& log, const ChannelKey& channel) noexcept {
    const ChannelState state = log.findChannel(channel.hash);
    KnownChannel known{.exists = state.newest != kNoOffset || state.subscribers != 0,
                       .subscribers = state.subscribers,
                       .isOfOldZone = log.isRetired()};
    RecordHeader end;
    if (log.hasEnded(state, channel.name) && log.readHeader(state.newest, end) == ReadStatus::Ok) {
        known.ended = true;
        known.endId = end.id;
    }
    return known;
}

} // namespace

Refusal refusalOf(const Verdict& verdict) noexcept {
    switch (verdict.kind) {
    case Verdict::Kind::Holds:
    case Verdict::Kind::Repeated:
        break;
    case Verdict::Kind::StaleEpoch:
        return Refusal::StaleEpoch;
    case Verdict::Kind::OutOfSequence:
        return Refusal::OutOfSequence;
    case Verdict::Kind::Unmatched:
        return Refusal::Unmatched;
    }
    return Refusal::None;
}

Refusal refusalOf(const AppendedEvents& appended) noexcept {
    switch (appended.status) {
    case AppendStatus::Ok:
        return Refusal::None;
    case AppendStatus::Retired:
        return Refusal::Retired;
    case AppendStatus::Locked:
        return Refusal::Locked;
    case AppendStatus::Ended:
        return Refusal::ChannelEnded;
    case AppendStatus::Unwanted:
        return refusalOf(appended.verdict);
    case AppendStatus::OldId: // only for given ids, which these events do not have
    case AppendStatus::TooLarge:
        break;
    }
    return Refusal::EventTooLarge;
}

RefusalFacts factsOf(const Verdict& verdict) noexcept {
    RefusalFacts facts;
    switch (verdict.kind) {
    case Verdict::Kind::Holds:
    case Verdict::Kind::Repeated:
        break;
    case Verdict::Kind::StaleEpoch:
        facts.epoch = verdict.number;
        break;
    case Verdict::Kind::OutOfSequence:
        facts.expected = verdict.number;
        break;
    case Verdict::Kind::Unmatched:
        facts.lastId = verdict.id;
        break;
    }
    return facts;
}

AppendedEvents appendEvents(Zone& zone, const ChannelKey& channel, const StagedEvents& events,
                            const AppendOptions& options) noexcept {
    AppendedEvents result;
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock) {
        result.status = AppendStatus::Locked;
        return result;
    }
    LogWriter& log = lock->log();
    if (mayAppend(log, channel, options.preconditions, result)) {
        options.whole ? appendTogether(log, channel, events, options, result)
                      : appendOneByOne(log, channel, events, options, result);
    }
    zone.counters->publishedBytes.add(result.bytes);
    return result;
}

std::optional<AppendedEvents> appendEnd(Zone& zone, const ChannelKey& channel,
                                        const Preconditions& preconditions) noexcept {
    AppendedEvents result;
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock) {
        result.status = AppendStatus::Locked;
        return result;
    }
    LogWriter& log = lock->log();
    if (!mayAppend(log, channel, &preconditions, result)) {
        return result;
    }
    const KnownChannel known = lookUp(log, channel);
    if (!known.exists) {
        return std::nullopt;
    }
    if (known.ended) {
        // There is no record to take the stamp, and nothing waits for a second end.
        if (!preconditions.stamp.empty()) {
            result.status = AppendStatus::Ended;
            return result;
        }
        note(channel, {.id = known.endId, .subscribers = known.subscribers}, true, result);
        return result;
    }
    const Appended appended = log.append({.channel = channel.name,
                                          .hash = channel.hash,
                                          .publisherId = {},
                                          .stamp = preconditions.stamp.bytes(),
                                          .end = true,
                                          .fields = {}},
                                         unixMilliseconds());
    result.status = appended.status;
    note(channel, appended, appended.status == AppendStatus::Ok, result);
    return result;
}

std::optional<size_t> countOpen(const Zone& zone, const ChannelKey& channel,
                                const StagedEvents& events) noexcept {
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock) {
        return std::nullopt;
    }
    size_t open = 0;
    StagedEvent before{};
    events.each([&](const StagedEvent& event) noexcept {
        const bool isAfterEnd = before.ends && before.channels == event.channels;
        before = event;
        return !isAfterEnd && isOpen(lock->log(), channel, event) && ++open != 0;
    });
    return open;
}

std::optional<KnownChannel> lookUp(const Zone& zone, const ChannelKey& channel) noexcept {
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    return lock ? std::optional(lookUp(lock->log(), channel)) : std::nullopt;
}

} // namespace sse
