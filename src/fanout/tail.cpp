#include "fanout/tail.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "log/assert.hpp"

namespace sse {

namespace {

// The most that one slice looks at: records, and the feeds that each of them is for.
constexpr int kScanSteps = 1024;

// The most feeds that one slice tells of a lap, or that they can read again.
constexpr int kLapFeeds = 256;

// The most bytes that all feeds hold together. Where a shared channel is combined with a private one, each
// subscriber has a feed of its own, and each event is copied once per feed.
constexpr size_t kMaxHeld = 8 * 1024 * 1024;

} // namespace

Tail::Tail(Zone& zone, void (*runSoon)() noexcept) noexcept
    : zone_(&zone), position_(zone.log.head()), runSoon_(runSoon) {
    ngx_queue_init(&feeds_);
    ngx_queue_init(&turns_);
    ngx_queue_init(&shutOut_);
}

Tail* Tail::make(Zone& zone, Registry& registry, void (*runSoon)() noexcept) noexcept {
    void* memory = ngx_alloc(sizeof(Tail), ngx_cycle->log);
    if (memory == nullptr) {
        return nullptr;
    }
    auto* tail = new (memory) Tail(zone, runSoon);
    tail->buckets_ = static_cast<Feed**>(ngx_calloc(kFeedBuckets * sizeof(Feed*), ngx_cycle->log));
    if (tail->buckets_ == nullptr || !tail->channels_.init(zone, registry)) {
        ngx_free(tail->buckets_);
        ngx_free(memory);
        return nullptr;
    }
    return tail;
}

bool Tail::runSlice() noexcept {
    bool more = settle();
    more = reportLap() || more;
    more = scan() || more;
    return fanOut() || more;
}

// Does some of the work that could not be done while the zone was not filled, or its lock was not available.
bool Tail::settle() noexcept {
    bool more = false;
    if (!ngx_queue_empty(&shutOut_) && isFilled(*zone_) && ZoneLock::acquire(*zone_)) {
        for (int steps = kLapFeeds; steps > 0 && !ngx_queue_empty(&shutOut_); --steps) {
            Feed& feed = *queueItem<Feed>(ngx_queue_head(&shutOut_), offsetof(Feed, shutOut));
            stopWaiting(feed);
            lose(feed);
        }
        more = !ngx_queue_empty(&shutOut_);
    }
    return channels_.settle() || more;
}

void Tail::readWhenPossible(Feed& feed) noexcept {
    if (feed.shutOut.next == nullptr) {
        ngx_queue_insert_tail(&shutOut_, &feed.shutOut);
    }
}

void Tail::stopWaiting(Feed& feed) noexcept {
    if (feed.shutOut.next != nullptr) {
        ngx_queue_remove(&feed.shutOut);
        feed.shutOut = {};
    }
}

// Returns whether it stopped before the head, or left a rest.
bool Tail::scan() noexcept {
    int steps = kScanSteps;
    tellRest(steps);
    for (; steps > 0; --steps) {
        if (channels_.isEmpty()) {
            position_ = zone_->log.head();
            return false;
        }
        RecordHeader header;
        switch (zone_->log.readHeader(position_, header)) {
        case ReadStatus::End:
            return false;
        case ReadStatus::Lapped:
            onLapped();
            return true;
        case ReadStatus::Ok:
            break;
        }
        if (header.kind == RecordKind::Break) {
            ++lap_;
        } else if (header.kind != RecordKind::Pad && !dispatch(header, steps)) {
            return true;
        }
        position_ += header.length;
    }
    return rest_.channel != nullptr || isBehind();
}

// Hands the record at the position to all feeds that want it, each of which is a step, or leaves a rest.
// false if the record has just been overwritten; the next look finds that out.
bool Tail::dispatch(const RecordHeader& header, int& steps) noexcept {
    if (header.entry == kNoEntry) {
        return true; // a channel without an entry has no listeners
    }
    for (LiveChannel* channel = channels_.at(header.entry); channel != nullptr;
         channel = channel->sameEntry) {
        if (channel->hash != header.hash) {
            continue;
        }
        Match named = zone_->log.match(position_, header, channel->nameView());
        if (named == Match::Lapped) {
            return false;
        }
        if (named == Match::No) {
            continue;
        }
        channel->ended = endsChannel(header) && isNewest();
        channel->lastId = newestEvent(header);
        uint32_t feeds = channel->feedCount;
        for (ngx_queue_t* q = ngx_queue_head(&channel->feeds); q != ngx_queue_sentinel(&channel->feeds);
             q = ngx_queue_next(q)) {
            if (steps <= 0) {
                ngx_queue_remove(&channel->feeds); // so that the next one becomes the first
                ngx_queue_insert_tail(q, &channel->feeds);
                rest_ = {.channel = channel, .offset = position_, .feeds = feeds};
                break;
            }
            collect(*queueItem<FeedLink>(q, offsetof(FeedLink, inChannel)), header);
            --feeds;
            --steps;
        }
        return true;
    }
    return true;
}

// Tells the feeds that have not been told that the scan has passed a record: they read it by themselves.
// Until then each of them is behind, so it counts neither as having handed out the record nor as ended.
void Tail::tellRest(int& steps) noexcept {
    for (; steps > 0 && rest_.feeds > 0; --steps, --rest_.feeds) {
        ngx_queue_t* q = ngx_queue_head(&rest_.channel->feeds);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&rest_.channel->feeds, q);
        tell(*queueItem<FeedLink>(q, offsetof(FeedLink, inChannel)));
    }
    if (rest_.feeds == 0) {
        rest_ = {};
    }
}

void Tail::tell(FeedLink& link) noexcept {
    if (isToBeTold(link)) {
        link.unread = firstUnread(link);
        link.seen = rest_.offset;
        schedule(*link.feed, *link.channel);
    }
}

// Whether the record at the position is the last one of its channel: a channel that lives again has not
// ended. The head is loaded first: a link to that head or beyond does not lead to a record yet.
bool Tail::isNewest() const noexcept {
    const uint64_t head = zone_->log.head();
    RecordHeader header;
    return zone_->log.readHeader(position_, header) == ReadStatus::Ok && header.next >= head;
}

// Takes the record at the position into the feed's next batch. If there is no room, or if the feed has left
// something unread before, only this feed stays behind, and the scan goes on for the others.
void Tail::collect(FeedLink& link, const RecordHeader& header) noexcept {
    Feed& feed = *link.feed;
    if (feed.lap != lap_) {
        lose(feed);
    }
    link.seen = position_;
    schedule(feed, *link.channel);
    if (header.kind == RecordKind::End) {
        return;
    }
    if (feed.isBehind() || !hasRoom(feed, header.payloadLength)) {
        link.unread = std::min(link.unread, position_);
    } else {
        copy(feed, position_, header);
    }
}

// Reads on for a feed that is behind: from record to record of its channels, in the order of the log, until
// its batch is full or nothing is left of what the scan has passed. At least one event is taken, however much
// other feeds hold, because they will hand that out.
void Tail::refill(Feed& feed) noexcept {
    for (int steps = kScanSteps; steps > 0 && feed.isBehind(); --steps) {
        FeedLink& link = *std::min_element(feed.channels, feed.channels + feed.channelCount,
                                           [](auto& a, auto& b) { return a.unread < b.unread; });
        const uint64_t offset = link.unread;
        RecordHeader header;
        if (zone_->log.readHeader(offset, header) != ReadStatus::Ok) {
            lose(feed);
            return;
        }
        Match named = zone_->log.match(offset, header, link.channel->nameView());
        if (named == Match::Lapped) {
            lose(feed);
            return;
        }
        const bool isWanted = named == Match::Yes && header.kind == RecordKind::Event;
        if (isWanted && feed.pending && !hasRoom(feed, header.payloadLength)) {
            return;
        }
        // The scan will find what it has not passed yet.
        link.unread = header.next > offset && header.next < position_ ? header.next : kNoOffset;
        if (isWanted) {
            copy(feed, offset, header);
        }
    }
}

bool Tail::hasRoom(const Feed& feed, size_t length) const noexcept {
    return (!feed.pending || feed.pending->size + length <= Batch::most()) &&
           (held_ == 0 || held_ + length <= kMaxHeld);
}

void Tail::copy(Feed& feed, uint64_t offset, const RecordHeader& header) noexcept {
    bool first = !feed.pending;
    char* place = feed.pending.room(header.payloadLength);
    if (place == nullptr || !zone_->log.readPayload(offset, header.nameLength, header.payloadLength, place)) {
        lose(feed); // no memory, or overwritten while it was copied
        return;
    }
    feed.pending.grow(header.payloadLength);
    held_ += header.payloadLength;
    feed.pending.addEvent(header.id, header.time);
    if (first) {
        feed.pendingFrom = offset;
    }
}

// The ring has overtaken us, or the log has begun another life, whose ids cannot be compared with those that
// the subscribers have. All subscribers catch up now, and find out whether channels have ended meanwhile.
// After a break, where the tail skips nothing, they do the same and notice the gap.
void Tail::onLapped() noexcept {
    position_ = zone_->log.head();
    ++lap_;
}

// Tells some of the feeds that do not know of the last lap. Returns whether there are more.
bool Tail::reportLap() noexcept {
    for (int steps = kLapFeeds; !ngx_queue_empty(&feeds_); --steps) {
        Feed& feed = *queueItem<Feed>(ngx_queue_head(&feeds_), offsetof(Feed, all));
        if (feed.lap == lap_ || steps == 0) {
            return feed.lap != lap_;
        }
        lose(feed);
    }
    return false;
}

// The tail cannot get something that the feed wants. Each subscriber finds out from the index what it has
// really missed.
void Tail::lose(Feed& feed) noexcept {
    release(feed.pending);
    for (FeedLink& link : std::span(feed.channels, feed.channelCount)) {
        link.unread = kNoOffset;
        link.seen = rest_.offset;
    }
    feed.freshLost = true;
    feed.lap = lap_;
    ngx_queue_remove(&feed.all);
    ngx_queue_insert_tail(&feeds_, &feed.all);
    schedule(feed, *feed.channels[0].channel);
}

void Tail::release(BatchRef& batch) noexcept {
    SSE_ASSERT(batch.size() <= held_);
    held_ -= batch.size();
    batch.reset();
}

// There is something to be done for the feed because of that channel. If the feed already waits for another
// of its channels, perhaps among thousands of feeds, and no feed waits for this one, it moves here, where its
// turn comes sooner. It moves only once; otherwise two channels that have events by turns could keep it
// waiting forever.
void Tail::schedule(Feed& feed, LiveChannel& channel) noexcept {
    feed.fresh = true;
    const bool isIdle = ngx_queue_empty(&channel.runnable);
    const bool isWaiting = feed.runsFor != nullptr;
    if (isWaiting && (feed.inRound || feed.hasMoved || !isIdle)) {
        return;
    }
    if (isWaiting) {
        unschedule(feed);
    }
    feed.hasMoved = isWaiting;
    feed.runsFor = &channel;
    ngx_queue_insert_tail(&channel.runnable, &feed.runnable);
    if (isIdle) {
        ngx_queue_insert_tail(&turns_, &channel.turn);
    }
}

void Tail::unschedule(Feed& feed) noexcept {
    LiveChannel& channel = *std::exchange(feed.runsFor, nullptr);
    ngx_queue_remove(&feed.runnable);
    if (ngx_queue_empty(&channel.runnable)) {
        ngx_queue_remove(&channel.turn);
    }
}

} // namespace sse
