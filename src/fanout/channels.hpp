// The channels that a worker's subscribers listen to, by their entry in the index of the zone, and what the
// index learns of them: which worker listens, and how many subscribers it has.
#pragma once

#include <string_view>

#include "fanout/feed.hpp"
#include "log/writer.hpp"
#include "roster/registry.hpp"
#include "zone.hpp"

namespace sse {

class ChannelTable {
public:
    // Makes the table; false without memory. Zone and registry outlive it.
    bool init(Zone& zone, Registry& registry) noexcept;

    enum class Status { Ok, NoMemory, IndexFull };

    // Adds this worker as a listener, then finds or makes the channel of that name. What lies before
    // `position` has been read.
    Status acquire(std::string_view name, uint64_t position, LiveChannel*& channel) noexcept;
    // Frees a channel that no feed uses any more.
    void release(LiveChannel* channel) noexcept;

    // The channels of an entry, linked by `sameEntry`.
    LiveChannel* at(uint32_t entry) const noexcept { return live_[entry]; }
    bool isEmpty() const noexcept { return count_ == 0; }

    // Tells the index how many subscribers a channel has here.
    void announce(LogWriter& log, LiveChannel& channel) noexcept;

    // Announces the subscribers of some channels again, as every worker does after one has died. Returns
    // whether there are more.
    bool answerCensus() noexcept;

    // Adds that listener id, too, to all channels.
    void listenAs(uint32_t listenerId) noexcept;

    // Determines anew whether a channel has ended, from what the index knows of it now.
    void reviewEnd(LiveChannel& channel, const ChannelState& state, uint64_t position) const noexcept;

private:
    LiveChannel* find(uint32_t entry, std::string_view name) noexcept;
    LiveChannel* make(const ChannelState& state, uint64_t hash, std::string_view name,
                      uint64_t position) noexcept;
    void unlisten(uint32_t entry) noexcept;
    template <typename F>
    void each(F&& visit) noexcept;

    Zone* zone_ = nullptr;
    Registry* registry_ = nullptr;
    LiveChannel** live_ = nullptr; // by index entry
    uint32_t entries_ = 0;
    uint32_t count_ = 0;
    uint32_t census_ = 0;   // the last one that was noticed
    uint32_t answered_ = 0; // entries of the index that have been looked at for it
};

} // namespace sse
