// Tailing: a worker reads each zone's log from where it was, picks out what its subscribers listen to, and
// hands it to them in batches.
//
//   log --scan--> LiveChannel --> Feed (pending batch) --fan-out--> subscribers at the tip
//
// A feed is a set of channels that somebody here subscribes to; all subscribers with the same set share one.
// Events of one feed go out in the order of the log, whatever channel they are of, so that one id is the
// cursor for all.
#pragma once

#include <span>

#include "ngx.hpp"
#include "worker/batch.hpp"
#include "zone.hpp"

namespace sse {

class Tail;
class Subscriber;

// A channel with subscribers on this worker.
struct LiveChannel {
    LiveChannel* sameEntry; // the next one with this index entry: their hashes collide
    uint64_t hash;
    uint32_t entry; // of the zone's index, which keeps it for as long as we listen
    uint32_t feedCount;
    ngx_queue_t feeds; // of FeedLink::inChannel
    uint32_t subscribers;
    uint32_t announced; // how many of them the index knows of
    uint32_t census;    // in which census
    bool ended;         // its newest event is its end
    uint8_t nameLength;
    char name[1];

    std::string_view nameView() const noexcept { return {name, nameLength}; }
};

struct FeedLink {
    ngx_queue_t inChannel;
    LiveChannel* channel;
    struct Feed* feed;
};

struct Feed {
    Tail* tail;
    ngx_queue_t all;      // in Tail::feeds_
    ngx_queue_t runnable; // in Tail::runnable_ while `queued`
    bool queued;
    bool inRound;
    bool fresh;     // something has come that the round, if one is going on, does not hold
    bool freshLost; // and some of it could not be collected
    bool lost;      // in this round everybody has to read the log for himself
    uint32_t subscribers;

    ngx_queue_t ready;    // of subscribers who have been handed the current batch
    ngx_queue_t waiting;  // of those who have not
    BatchRef current;     // what is being handed out
    BatchRef pending;     // what will be next
    uint64_t pendingFrom; // offset of its first event
    uint64_t next;        // events before this offset have been collected

    uint32_t channelCount;
    FeedLink channels[1];

    // Whether each of its channels has ended.
    bool ended() const noexcept;
};

class Tail {
public:
    static Tail* make(Zone& zone) noexcept; // NULL without memory

    Zone& zone() noexcept { return *zone_; }

    enum class Join { Ok, NoMemory, IndexFull };

    // Finds or makes the feed of these channels (distinct names), counts one subscriber more on each and
    // links the subscriber. From then on no event can pass unseen.
    Join join(std::span<const std::string_view> names, Subscriber& subscriber) noexcept;
    void leave(Subscriber& subscriber) noexcept;

    // Events of the feed before this offset have been handed to everybody at the tip.
    uint64_t tip(const Feed& feed) const noexcept { return feed.pending ? feed.pendingFrom : position_; }

    // One turn: reads on, and hands out a slice. Returns whether there is more to do at once.
    bool turn() noexcept;

    // Every worker announces its subscribers again after one has died.
    void answerCensus() noexcept;

    // Whether the log has something that was not looked at.
    bool behind() const noexcept { return zone_->log.head() != position_; }

    Tail* following = nullptr; // the worker's next tail

private:
    explicit Tail(Zone& zone) noexcept;

    LiveChannel* findChannel(uint32_t entry, std::string_view name) noexcept;
    LiveChannel* makeChannel(const ChannelState& state, uint64_t hash, std::string_view name) noexcept;
    void dropChannel(LiveChannel* channel) noexcept;
    void announce(LiveChannel& channel) noexcept;
    Feed* findFeed(std::span<LiveChannel* const> channels) noexcept;
    Feed* makeFeed(std::span<LiveChannel* const> channels) noexcept;
    void dropFeed(Feed* feed) noexcept;

    bool scan() noexcept;
    bool take(const RecordHeader& header) noexcept;
    bool collect(Feed& feed, const RecordHeader& header) noexcept;
    void lose() noexcept;
    void queue(Feed& feed) noexcept;

    bool fanOut() noexcept;
    void beginRound(Feed& feed) noexcept;
    void endRound(Feed& feed) noexcept;

    Zone* zone_;
    uint64_t position_;  // everything before it has been looked at
    LiveChannel** live_; // by index entry
    uint32_t liveCount_ = 0;
    uint32_t answered_ = 0; // the last census that was answered
    ngx_queue_t feeds_;
    ngx_queue_t runnable_;
};

} // namespace sse
