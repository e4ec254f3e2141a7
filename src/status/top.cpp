#include "status/top.hpp"

#include <algorithm>
#include <cstring>

namespace sse {

namespace {

std::string_view nameOf(const TopChannel& channel) noexcept {
    return {channel.name, channel.nameLength};
}

void writeList(JsonWriter& json, const TopList& list) noexcept {
    json.beginArray();
    for (const TopChannel& channel : list.channels()) {
        json.beginObject().member("channel", nameOf(channel));
        json.member("subscribers", channel.subscribers).member("events", channel.events).endObject();
    }
    json.endArray();
}

} // namespace

// Among equal ones the name decides, which keeps the list stable as long as nothing changes.
bool TopList::wants(uint32_t number, std::string_view name, uint32_t TopChannel::*order) const noexcept {
    if (number == 0) {
        return false;
    }
    if (count_ < room_.size()) {
        return true;
    }
    const TopChannel& last = room_.back();
    return number > last.*order || (number == last.*order && name < nameOf(last));
}

// The last one makes room.
void TopList::add(const TopChannel& channel, uint32_t TopChannel::*order) noexcept {
    if (!wants(channel.*order, nameOf(channel), order)) {
        return;
    }
    count_ += count_ < room_.size() ? 1 : 0;
    size_t place = count_ - 1;
    const auto comesBefore = [&](const TopChannel& other) noexcept {
        return channel.*order > other.*order ||
               (channel.*order == other.*order && nameOf(channel) < nameOf(other));
    };
    for (; place != 0 && comesBefore(room_[place - 1]); --place) {
        room_[place] = room_[place - 1];
    }
    room_[place] = channel;
}

// The events are counted only if there can be enough of them.
void ZoneTop::visit(const Log& log, const ChannelSummary& channel, const ChannelState& state) noexcept {
    const std::string_view name = channel.nameView();
    if (!bySubscribers.wants(state.subscribers, name, &TopChannel::subscribers) &&
        !byEvents.wants(channel.mostEvents, name, &TopChannel::events)) {
        return;
    }
    TopChannel own{state.subscribers, log.retainedEvents(state), channel.nameLength, {}};
    std::memcpy(own.name, channel.name, channel.nameLength);
    bySubscribers.add(own, &TopChannel::subscribers);
    byEvents.add(own, &TopChannel::events);
}

void writeTop(JsonWriter& json, const ZoneTop& top) noexcept {
    json.key("top").beginObject();
    json.key("subscribers");
    writeList(json, top.bySubscribers);
    json.key("events");
    writeList(json, top.byEvents);
    json.member("unnamed", top.unnamed).endObject();
}

} // namespace sse
