// Feeds: what the subscribers of a worker listen to.
//
// A feed is a set of channels that some subscribers of this worker have; all subscribers with the same set
// share one. Events of one feed go out in the order of the log, whichever channel they are of, so one id is
// the cursor for all channels.
#pragma once

#include "log/layout.hpp"
#include "ngx.hpp"
#include "output/batch.hpp"
#include "sse/event.hpp"

namespace sse {

class Tail;

// A channel with subscribers on this worker.
struct LiveChannel {
    LiveChannel* sameEntry; // the next one with this index entry: their hashes collide
    uint64_t hash;
    uint32_t entry; // of the zone's index, which keeps it as long as we listen
    uint32_t feedCount;
    ngx_queue_t feeds;    // of FeedLink::inChannel
    ngx_queue_t runnable; // of Feed::runnable: those that have their turn for this channel
    ngx_queue_t turn;     // in Tail::turns_ while there are any
    uint32_t subscribers;
    uint32_t announced; // how many of them the index knows of
    uint32_t census;    // the census they were announced in
    bool ended;         // its newest record is its end, and has been read
    EventId lastId;     // of its newest event that has been read
    uint8_t nameLength;
    char name[1];

    std::string_view nameView() const noexcept { return {name, nameLength}; }
};
static_assert(kMaxChannelName <= UINT8_MAX); // LiveChannel::nameLength

struct FeedLink {
    ngx_queue_t inChannel;
    LiveChannel* channel;
    struct Feed* feed;
    uint64_t unread; // offset of the channel's first record that the scan has left to the feed; kNoOffset
    uint64_t seen;   // offset of the newest record of the channel that the feed has been told of; kNoOffset
};

struct Feed {
    Tail* tail;
    Feed* nextInBucket;   // of Tail::buckets_
    uint64_t key;         // of its set of channels
    LiveChannel* runsFor; // the one of its channels for which it has its turn; NULL: it needs no turn
    ngx_queue_t all;      // in Tail::feeds_
    ngx_queue_t runnable; // in LiveChannel::runnable of that channel
    ngx_queue_t shutOut;  // in Tail::shutOut_; all zeros while it is not
    bool hasMoved;        // from one of its channels to another, while it waits
    bool inRound;
    bool fresh;     // something has arrived that the current round does not include
    bool freshLost; // and some of it could not be collected
    bool lost;      // in this round every subscriber has to read the log by itself
    uint32_t lap;   // of the tail, when the feed last heard of one
    uint32_t subscribers;

    ngx_queue_t ready;    // of Member::link: those that have been given the current batch
    ngx_queue_t waiting;  // and those that have not
    BatchRef current;     // the batch being delivered
    BatchRef pending;     // the next one
    uint64_t pendingFrom; // offset of its first event

    uint32_t channelCount;
    FeedLink channels[1];

    // Its batch had no room for what the scan found: the feed reads on by itself, see Tail::refill().
    bool isBehind() const noexcept { return firstUnread() != kNoOffset; }
    uint64_t firstUnread() const noexcept;

    // Whether each of its channels has ended, and nothing is left to be collected.
    bool ended() const noexcept;
};

} // namespace sse
