// The channels that a worker's subscribers listen to, by their entries in the zone's index, and what the
// index learns about them: which worker listens, and how many subscribers each channel has.
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
    Status acquire(LogWriter& log, std::string_view name, uint64_t position, LiveChannel*& channel) noexcept;
    // Frees a channel that no feed uses any more; later, if there is no lock and so no `log`.
    void release(LogWriter* log, LiveChannel* channel) noexcept;

    // The channels of an entry, linked by `sameEntry`.
    LiveChannel* at(uint32_t entry) const noexcept { return live_[entry]; }
    bool isEmpty() const noexcept { return count_ == 0; }

    // Counts one subscriber more, or less, on each channel of a feed, and tells the index; later, if there is
    // no lock and so no `log`.
    void enter(LogWriter& log, Feed& feed) noexcept { count(&log, feed, 1); }
    void leave(LogWriter* log, Feed& feed) noexcept { count(log, feed, -1); }

    // Tells the index what it is owed because a census has begun or because the zone's lock was not
    // available: in slices, one in each turn. Returns whether there is more to do at once.
    bool settle() noexcept;

    // Adds that listener id to all channels as well, in slices: to be called again until it returns true;
    // then all have it.
    bool listenAs(uint32_t listenerId) noexcept;

    // Determines again whether a channel has ended, from what the index knows of it now.
    void reviewEnd(LiveChannel& channel, const ChannelState& state, uint64_t position) const noexcept;

private:
    LiveChannel* find(uint32_t entry, std::string_view name) noexcept;
    LiveChannel* make(const ChannelState& state, uint64_t hash, std::string_view name,
                      uint64_t position) noexcept;
    void count(LogWriter* log, Feed& feed, int32_t change) noexcept;
    static void announce(LogWriter& log, LiveChannel& channel) noexcept;
    void owe() noexcept { due_ = entries_; }
    void pay(LogWriter& log, uint32_t entry) noexcept;
    bool isChangingId() const noexcept;
    ChannelState listen(LogWriter& log, uint64_t hash) const noexcept;
    void unlisten(LogWriter& log, uint32_t entry) noexcept;
    void drop(LogWriter& log, LiveChannel* channel) noexcept;

    Zone* zone_ = nullptr;
    Registry* registry_ = nullptr;
    LiveChannel** live_ = nullptr; // by index entry
    uint32_t entries_ = 0;
    uint32_t count_ = 0;
    uint32_t answered_ = 0;           // the last census that this worker has begun to answer
    uint32_t next_ = 0;               // the entry at which settle() goes on
    uint32_t due_ = 0;                // how many entries it still has to look at
    uint32_t alsoAs_ = kMaxListeners; // a second listener id that the channels have
};

} // namespace sse
