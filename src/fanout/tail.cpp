#include "fanout/tail.hpp"

#include <new>

#include "log/assert.hpp"

namespace sse {

namespace {

// Records that are looked at in one turn of the event loop, so that the worker's other connections do not
// wait.
constexpr int kScanRecords = 1024;

// What all feeds together collect before they hand it out. Where a channel for everybody goes together with a
// private one each subscriber is a feed of his own, and each event is copied as often.
constexpr size_t kMaxPending = 8 * 1024 * 1024;

} // namespace

Tail::Tail(Zone& zone, void (*runSoon)() noexcept) noexcept
    : zone_(&zone), position_(zone.log.head()), runSoon_(runSoon) {
    ngx_queue_init(&feeds_);
    ngx_queue_init(&runnable_);
}

Tail* Tail::make(Zone& zone, Registry& registry, void (*runSoon)() noexcept) noexcept {
    void* memory = ngx_alloc(sizeof(Tail), ngx_cycle->log);
    if (memory == nullptr) {
        return nullptr;
    }
    auto* tail = new (memory) Tail(zone, runSoon);
    if (!tail->channels_.init(zone, registry)) {
        ngx_free(memory);
        return nullptr;
    }
    return tail;
}

bool Tail::turn() noexcept {
    bool more = scan();
    return fanOut() || more;
}

// Returns whether it stopped before the head.
bool Tail::scan() noexcept {
    for (int i = 0; i < kScanRecords; ++i) {
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
            return false;
        case ReadStatus::Ok:
            break;
        }
        if (header.kind != RecordKind::Pad && !dispatch(header)) {
            return true;
        }
        position_ += header.length;
    }
    return isBehind();
}

// Hands the record at the position to all feeds that want it; false if it is to be looked at again: one of
// them has to get rid of its batch first, or the record has just been overwritten, which the next look finds
// out.
bool Tail::dispatch(const RecordHeader& header) noexcept {
    if (header.entry == kNoEntry) {
        return true; // nobody can listen to a channel without an entry
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
        channel->ended = header.kind == RecordKind::End && isNewest(header);
        channel->lastId = header.previousId;
        for (ngx_queue_t* q = ngx_queue_head(&channel->feeds); q != ngx_queue_sentinel(&channel->feeds);
             q = ngx_queue_next(q)) {
            if (!collect(*queueItem<FeedLink>(q, offsetof(FeedLink, inChannel))->feed, header)) {
                return false;
            }
        }
        return true;
    }
    return true;
}

// Whether the record at the position is the last one of its channel: one that lives again has not ended.
bool Tail::isNewest(const RecordHeader& header) const noexcept {
    ZoneLock lock(*zone_);
    return lock.log().channelAt(header.entry).newest == position_;
}

// Copies the record at the position into the feed's next batch; false if that is full.
bool Tail::collect(Feed& feed, const RecordHeader& header) noexcept {
    if (feed.next > position_) {
        return true; // taken already, before another feed of the channel had no room
    }
    if (header.kind == RecordKind::End) {
        schedule(feed);
        feed.next = position_ + header.length;
        return true;
    }
    if ((feed.pending && feed.pending->size + header.payloadLength > Batch::kMost) ||
        (pendingBytes_ != 0 && pendingBytes_ + header.payloadLength > kMaxPending)) {
        return false;
    }
    bool first = !feed.pending;
    char* place = feed.pending.room(header.payloadLength);
    if (place == nullptr ||
        !zone_->log.readPayload(position_, header.nameLength, header.payloadLength, place)) {
        feed.freshLost = true; // no memory, or overwritten while it was copied
        takePending(feed);
    } else {
        feed.pending.grow(header.payloadLength);
        pendingBytes_ += header.payloadLength;
        feed.pending.addEvent(header.id);
        if (first) {
            feed.pendingFrom = position_;
        }
    }
    feed.next = position_ + header.length;
    schedule(feed);
    return true;
}

// The ring has passed us. Each subscriber finds out by the index what it has really missed.
void Tail::onLapped() noexcept {
    position_ = zone_->log.head();
    channels_.reviewEnds(position_);
    for (ngx_queue_t* q = ngx_queue_head(&feeds_); q != ngx_queue_sentinel(&feeds_); q = ngx_queue_next(q)) {
        Feed& feed = *queueItem<Feed>(q, offsetof(Feed, all));
        takePending(feed);
        feed.freshLost = true;
        schedule(feed);
    }
}

BatchRef Tail::takePending(Feed& feed) noexcept {
    SSE_ASSERT(feed.pending.size() <= pendingBytes_);
    pendingBytes_ -= feed.pending.size();
    return std::exchange(feed.pending, BatchRef());
}

void Tail::schedule(Feed& feed) noexcept {
    feed.fresh = true;
    if (!feed.scheduled) {
        feed.scheduled = true;
        ngx_queue_insert_tail(&runnable_, &feed.runnable);
    }
}

} // namespace sse
