// Tailing: a worker reads each zone's log on from its position, picks out what its subscribers listen to, and
// delivers it to them in batches.
//
//   log --scan--> LiveChannel --> Feed (pending batch) --fan-out--> subscribers at the tip
#pragma once

#include <algorithm>
#include <span>

#include "fanout/channels.hpp"
#include "fanout/feed.hpp"
#include "fanout/member.hpp"
#include "ngx.hpp"
#include "zone_lock.hpp"

namespace sse {

// Buckets of a tail's feeds, so that a set of channels is found at once however many there are.
inline constexpr size_t kFeedBuckets = 4096;

class Tail {
public:
    // Makes the tail of a zone, for the worker that has this registry. `runSoon` is called when there is
    // something to read for which this worker has not been woken. NULL without memory.
    static Tail* make(Zone& zone, Registry& registry, void (*runSoon)() noexcept) noexcept;

    Zone& zone() noexcept { return *zone_; }
    ChannelTable& channels() noexcept { return channels_; }

    using Join = ChannelTable::Status;

    // Finds or makes the feed of these channels (distinct names, at most kMostChannels), counts one more
    // subscriber on each and links the member. From then on the member misses no event. `log` is the zone's.
    Join join(LogWriter& log, std::span<const std::string_view> names, Member& member) noexcept;
    void leave(Member& member) noexcept;

    // Some members of the feed cannot catch up, because the zone's lock is not available, or because the zone
    // is not filled. Once they can, they are told that a batch was lost.
    void readWhenPossible(Feed& feed) noexcept;

    // Decides once more whether a channel has ended, from what the index knows of it now.
    void reviewEnd(LiveChannel& channel, const ChannelState& state) const noexcept {
        channels_.reviewEnd(channel, state, position_);
    }

    // All events of the feed before this offset have been handed to its subscribers at the tip. That is
    // everything that the tail has looked at, except what waits in a batch to be handed out and what the feed
    // still has to read by itself.
    uint64_t tip(const Feed& feed) const noexcept {
        return feed.pending ? feed.pendingFrom : std::min(position_, feed.firstUnread());
    }

    // The first record of the link's channel that the scan has passed and the feed has not read; kNoOffset if
    // there is none.
    uint64_t firstUnread(const FeedLink& link) const noexcept {
        return isToBeTold(link) ? std::min(link.unread, rest_.offset) : link.unread;
    }

    // Reads on, and hands out some of it. Returns whether there is more to do at once.
    bool runSlice() noexcept;

    // Whether the log has something that has not been read.
    bool isBehind() const noexcept { return zone_->log.head() != position_; }

    Tail* following = nullptr; // the worker's next tail

private:
    Tail(Zone& zone, void (*runSoon)() noexcept) noexcept;

    void enter(LogWriter& log, Feed& feed, Member& member) noexcept;
    Feed* findOrMakeFeed(std::span<LiveChannel* const> channels) noexcept;
    Feed*& bucketOf(uint64_t key) noexcept;
    Feed* findFeed(std::span<LiveChannel* const> channels) noexcept;
    Feed* makeFeed(std::span<LiveChannel* const> channels) noexcept;
    void dropFeed(LogWriter* log, Feed* feed) noexcept;

    bool settle() noexcept;
    static void stopWaiting(Feed& feed) noexcept;
    bool scan() noexcept;
    bool dispatch(const RecordHeader& header, int& steps) noexcept;
    void tellRest(int& steps) noexcept;
    bool isToBeTold(const FeedLink& link) const noexcept {
        return link.channel == rest_.channel && link.seen != rest_.offset;
    }
    void tell(FeedLink& link) noexcept;
    bool isNewest() const noexcept;
    void collect(FeedLink& link, const RecordHeader& header) noexcept;
    void refill(Feed& feed) noexcept;
    bool hasRoom(const Feed& feed, size_t length) const noexcept;
    void copy(Feed& feed, uint64_t offset, const RecordHeader& header) noexcept;
    void onLapped() noexcept;
    bool reportLap() noexcept;
    void lose(Feed& feed) noexcept;
    void release(BatchRef& batch) noexcept;
    void schedule(Feed& feed, LiveChannel& channel) noexcept;
    static void unschedule(Feed& feed) noexcept;

    bool fanOut() noexcept;
    void beginRound(Feed& feed) noexcept;
    void endRound(Feed& feed) noexcept;

    // A record that the scan has passed, and that not all feeds of its channel have been told of, because
    // there are too many for one slice.
    struct Rest {
        LiveChannel* channel = nullptr; // NULL: there is none
        uint64_t offset = kNoOffset;
        uint32_t feeds = 0; // how many are still to be looked at: the first ones of the channel
    };

    Zone* zone_;
    uint64_t position_;     // everything before it has been looked at
    Rest rest_;             // except for this
    size_t held_ = 0;       // bytes that the feeds have collected and not yet handed to all their subscribers
    uint32_t lap_ = 0;      // how often all subscribers had to read the log by themselves
    ngx_queue_t shutOut_{}; // feeds with members that cannot read
    ChannelTable channels_;
    void (*runSoon_)() noexcept;
    Feed** buckets_ = nullptr; // the feeds by their keys
    ngx_queue_t feeds_;        // those that have not heard of the last lap come first
    ngx_queue_t turns_;        // of LiveChannel::turn: channels that have runnable feeds
};

} // namespace sse
