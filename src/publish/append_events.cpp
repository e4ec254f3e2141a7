#include "publish/append_events.hpp"

#include "zone_lock.hpp"

namespace sse {

namespace {

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

// Whether anything is to be appended; if not, the result says why.
bool mayAppend(LogWriter& log, const ChannelKey& channel, bool reopen, const Preconditions* preconditions,
               AppendedEvents& result) noexcept {
    if (preconditions != nullptr) {
        result.verdict = checkPreconditions(log, channel.name, channel.hash, *preconditions);
        if (result.verdict.kind != Verdict::Kind::Holds) {
            result.status = AppendStatus::Unwanted;
            result.lastId = result.verdict.id;
            result.subscribers = log.findChannel(channel.hash).subscribers;
            return false;
        }
    }
    if (!reopen && log.hasEnded(log.findChannel(channel.hash), channel.name)) {
        result.status = AppendStatus::Ended;
        return false;
    }
    return true;
}

NewEvent newEvent(const ChannelKey& channel, const StagedEvent& event,
                  const AppendOptions& options) noexcept {
    const bool isStamped = event.isLast && options.preconditions != nullptr;
    return {.channel = channel.name,
            .hash = channel.hash,
            .publisherId = event.publisherId,
            .stamp = isStamped ? options.preconditions->stamp.bytes() : std::string_view(),
            .end = options.end && event.isLast,
            .fields = event.fields};
}

void note(const Appended& appended, AppendedEvents& result) noexcept {
    result.lastId = appended.id;
    result.subscribers = appended.subscribers;
    result.listeners = appended.listeners;
}

void appendOneByOne(LogWriter& log, const ChannelKey& channel, const StagedEvents& events,
                    const AppendOptions& options, AppendedEvents& result) noexcept {
    const uint64_t now = unixMilliseconds();
    events.each([&](const StagedEvent& event) noexcept {
        const Appended appended = log.append(newEvent(channel, event, options), now);
        result.status = appended.status;
        if (appended.status != AppendStatus::Ok) {
            return false;
        }
        ++result.count;
        note(appended, result);
        result.lastPublisherId = event.publisherId;
        return true;
    });
}

void appendTogether(LogWriter& log, const ChannelKey& channel, const StagedEvents& events,
                    const AppendOptions& options, AppendedEvents& result) noexcept {
    Draft draft = log.begin(unixMilliseconds());
    uint64_t count = 0;
    events.each([&](const StagedEvent& event) noexcept {
        result.status = log.add(draft, newEvent(channel, event, options));
        result.lastPublisherId = event.publisherId;
        ++count;
        return result.status == AppendStatus::Ok;
    });
    if (result.status == AppendStatus::Ok) {
        result.count = count;
        note(log.commit(draft), result);
    } else {
        log.abandon(draft);
    }
}

} // namespace

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
    if (mayAppend(log, channel, options.reopen, options.preconditions, result)) {
        options.whole ? appendTogether(log, channel, events, options, result)
                      : appendOneByOne(log, channel, events, options, result);
    } else if (result.verdict.kind == Verdict::Kind::Repeated) {
        events.each([&result](const StagedEvent& event) noexcept {
            result.lastPublisherId = event.publisherId;
            return true;
        });
    }
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
    if (!mayAppend(log, channel, true, &preconditions, result)) {
        return result;
    }
    const ChannelState state = log.findChannel(channel.hash);
    if (state.newest == kNoOffset && state.subscribers == 0) {
        return std::nullopt;
    }
    RecordHeader end;
    if (log.hasEnded(state, channel.name) && log.readHeader(state.newest, end) == ReadStatus::Ok) {
        result.lastId = end.id;
        result.subscribers = state.subscribers;
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
    note(appended, result);
    return result;
}

} // namespace sse
