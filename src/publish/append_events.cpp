#include "publish/append_events.hpp"

#include "zone_lock.hpp"

namespace sse {

AppendedEvents appendEvents(Zone& zone, const ChannelKey& channel, const StagedEvents& events) noexcept {
    AppendedEvents result;
    const uint64_t now = unixMilliseconds();
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock) {
        result.status = AppendStatus::Locked;
        return result;
    }
    events.each([&](const StagedEvent& event) noexcept {
        const Appended appended = lock->log().append({.channel = channel.name,
                                                      .hash = channel.hash,
                                                      .publisherId = event.publisherId,
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

} // namespace sse
