// The channels of a zone with the most subscribers, and those with the most events, as far as sse_list
// permits the location to name them.
#pragma once

#include <optional>
#include <span>

#include "log/channel_walk.hpp"
#include "ngx.hpp"
#include "sse/json.hpp"

namespace sse {

// How many may be asked for.
inline constexpr ngx_int_t kMostTop = 100;

struct TopChannel {
    uint32_t subscribers;
    uint32_t events;
    uint8_t nameLength;
    char name[kMaxChannelName];
};

// The first of some channels, in an order.
class TopList {
public:
    TopList() = default;
    explicit TopList(std::span<TopChannel> room) noexcept : room_(room) {}

    // Whether a channel with that number, and with a name like that, has a place.
    bool wants(uint32_t number, std::string_view name, uint32_t TopChannel::*order) const noexcept;
    void add(const TopChannel& channel, uint32_t TopChannel::*order) noexcept;
    std::span<const TopChannel> channels() const noexcept { return room_.first(count_); }

private:
    std::span<TopChannel> room_; // the first ones are there, in order
    size_t count_ = 0;
};

struct ZoneTop {
    TopList bySubscribers;
    TopList byEvents;
    uint64_t unnamed = 0; // channels with subscribers of which the zone has no event, and so no name

    void visit(const Log& log, const ChannelSummary& channel, const ChannelState& state) noexcept;
};

// Writes it as the member "top".
void writeTop(JsonWriter& json, const ZoneTop& top) noexcept;

} // namespace sse
