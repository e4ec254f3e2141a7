#include "publish/append_events.hpp"

#include "zone_lock.hpp"

namespace sse {

Refusal refusalOf(AppendStatus status) noexcept {
    switch (status) {
    case AppendStatus::Ok:
        return Refusal::None;
    case AppendStatus::Retired:
        return Refusal::Retired;
    case AppendStatus::Locked:
        return Refusal::Locked;
    case AppendStatus::Ended:
        return Refusal::ChannelEnded;
    case AppendStatus::TooLarge:
        break;
    }
    return Refusal::EventTooLarge;
}

AppendedEvents appendEvents(Zone& zone, const ChannelKey& channel, const StagedEvents& events,
                            const AppendOptions& options) noexcept {
    AppendedEvents result;
    const uint64_t now = unixMilliseconds();
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock) {
        result.status = AppendStatus::Locked;
        return result;
    }
    LogWriter& log = lock->log();
    if (!options.reopen && log.hasEnded(log.findChannel(channel.hash), channel.name)) {
        result.status = AppendStatus::Ended;
        return result;
    }
    events.each([&](const StagedEvent& event) noexcept {
        const Appended appended = log.append({.channel = channel.name,
                                              .hash = channel.hash,
                                              .publisherId = event.publisherId,
                                              .end = options.end && event.isLast,
                                              .fields = event.fields},
                                             now);
        result.status = appended.status;
        if (appended.status != AppendStatus::Ok) {
            return false;
        }
        ++result.count;
        result.lastId = appended.id;
        result.lastPublisherId = event.publisherId;
        result.subscribers = appended.subscribers;
        result.listeners = appended.listeners;
        return true;
    });
    return result;
}

std::optional<Appended> appendEnd(Zone& zone, const ChannelKey& channel) noexcept {
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock) {
        return Appended{.status = AppendStatus::Locked, .id = {}};
    }
    LogWriter& log = lock->log();
    const ChannelState state = log.findChannel(channel.hash);
    if (state.newest == kNoOffset && state.subscribers == 0) {
        return std::nullopt;
    }
    RecordHeader end;
    if (log.hasEnded(state, channel.name) && log.readHeader(state.newest, end) == ReadStatus::Ok) {
        return Appended{.id = end.id, .subscribers = state.subscribers};
    }
    return log.append(
        {.channel = channel.name, .hash = channel.hash, .publisherId = {}, .end = true, .fields = {}},
        unixMilliseconds());
}

} // namespace sse
