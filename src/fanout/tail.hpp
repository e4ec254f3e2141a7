// Tailing: a worker reads each zone's log from where it was, picks out what its subscribers listen to, and
// hands it to them in batches.
//
//   log --scan--> LiveChannel --> Feed (pending batch) --fan-out--> subscribers at the tip
#pragma once

#include <algorithm>
#include <span>

#include "fanout/feed.hpp"
#include "ngx.hpp"
#include "zone.hpp"

namespace sse {

class Tail {
public:
    static Tail* make(Zone& zone) noexcept; // NULL without memory

    Zone& zone() noexcept { return *zone_; }

    enum class Join { Ok, NoMemory, IndexFull };

    // Finds or makes the feed of these channels (distinct names), counts one subscriber more on each and
    // links the subscriber. From then on no event can pass unseen.
    Join join(std::span<const std::string_view> names, Subscriber& subscriber) noexcept;
    void leave(Subscriber& subscriber) noexcept;

    // All events of the feed before this offset have been handed to its subscribers at the tip. That is as
    // far as the log was looked at, or one event further for a feed that has taken one while another feed had
    // no room for it; but not what waits in a batch to be handed out.
    uint64_t tip(const Feed& feed) const noexcept {
        return feed.pending ? feed.pendingFrom : std::max(position_, feed.next);
    }

    // One turn: reads on, and hands out a slice. Returns whether there is more to do at once.
    bool turn() noexcept;

    // Every worker announces its subscribers again after one has died.
    void answerCensus() noexcept;

    // Marks this worker as a listener of all of its channels, by that mark as well.
    void listenAs(uint32_t mark) noexcept;

    // Decides once more whether a channel has ended, from what the index knows of it now.
    void reviewEnd(LiveChannel& channel, const ChannelState& state) const noexcept;

    // Whether the log has something that was not looked at.
    bool behind() const noexcept { return zone_->log.head() != position_; }

    Tail* following = nullptr; // the worker's next tail

private:
    explicit Tail(Zone& zone) noexcept;

    Join listen(std::string_view name, LiveChannel*& channel) noexcept;
    void enter(Feed& feed, Subscriber& subscriber) noexcept;
    LiveChannel* findChannel(uint32_t entry, std::string_view name) noexcept;
    LiveChannel* makeChannel(const ChannelState& state, uint64_t hash, std::string_view name) noexcept;
    void dropChannel(LiveChannel* channel) noexcept;
    void unlisten(uint32_t entry) noexcept;
    void reviewEnds() noexcept;
    void announce(LiveChannel& channel) noexcept;
    template <typename F>
    void eachChannel(F&& visit) noexcept;
    Feed* findOrMakeFeed(std::span<LiveChannel* const> channels) noexcept;
    Feed* findFeed(std::span<LiveChannel* const> channels) noexcept;
    Feed* makeFeed(std::span<LiveChannel* const> channels) noexcept;
    void dropFeed(Feed* feed) noexcept;

    bool scan() noexcept;
    bool take(const RecordHeader& header) noexcept;
    bool isNewest(const RecordHeader& header) const noexcept;
    bool collect(Feed& feed, const RecordHeader& header) noexcept;
    void lose() noexcept;
    BatchRef takePending(Feed& feed) noexcept;
    void queue(Feed& feed) noexcept;

    bool fanOut() noexcept;
    void beginRound(Feed& feed) noexcept;
    void endRound(Feed& feed) noexcept;

    Zone* zone_;
    uint64_t position_;       // everything before it has been looked at
    LiveChannel** live_;      // by index entry
    size_t pendingBytes_ = 0; // of all feeds
    uint32_t liveCount_ = 0;
    uint32_t answered_ = 0; // the last census that was answered
    ngx_queue_t feeds_;
    ngx_queue_t runnable_;
};

} // namespace sse
