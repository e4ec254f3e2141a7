#include "subscribe/catchup.hpp"

#include <algorithm>
#include <new>

namespace sse {

namespace {

// Newer than any event: the log takes it for a cursor of another life.
constexpr EventId kUnknown{UINT64_MAX, UINT64_MAX};

// Whether the cursor is an id of this life that has not arrived here yet.
bool mayBeAhead(const Zone& zone, EventId cursor, EventId lastId) noexcept {
    return zone.bus != nullptr && cursor > lastId && cursor != kUnknown && zone.log.couldHaveIssued(cursor);
}

} // namespace

// The channels lie after the object.
std::span<ReplayChannel> Catchup::channels() const noexcept {
    auto* first = reinterpret_cast<ReplayChannel*>(const_cast<Catchup*>(this) + 1);
    return {first, feed_.channelCount};
}

Catchup::Catchup(Feed& feed, EventId cursor, EventId lastId, const History& history) noexcept
    : feed_(feed), cursor_(cursor), lastId_(lastId), isAhead_(mayBeAhead(feed.tail->zone(), cursor, lastId)),
      replay_(feed.tail->zone().log, channels(), cursor, isAhead_ ? cursor : lastId, history) {}

Catchup* Catchup::allocate(Feed& feed) noexcept {
    static_assert(alignof(ReplayChannel) <= alignof(Catchup));
    size_t size = sizeof(Catchup) + feed.channelCount * sizeof(ReplayChannel);
    return static_cast<Catchup*>(ngx_alloc(size, ngx_cycle->log));
}

// In the same critical section in which the newest id is read, so that the stock and this id belong together.
std::span<ReplayChannel> Catchup::takeStock(LogWriter& log, Feed& feed, Catchup* memory) noexcept {
    auto* channels = reinterpret_cast<ReplayChannel*>(memory + 1);
    for (uint32_t i = 0; i < feed.channelCount; ++i) {
        LiveChannel& live = *feed.channels[i].channel;
        ReplayChannel* channel = new (&channels[i]) ReplayChannel{};
        channel->name = live.nameView();
        channel->hash = live.hash;
        channel->state = log.channelAt(live.entry);
        feed.tail->reviewEnd(live, channel->state);
    }
    return {channels, feed.channelCount};
}

Catchup* Catchup::make(LogWriter& log, Feed& feed, const Beginning& from) noexcept {
    Catchup* memory = allocate(feed);
    if (memory == nullptr) {
        return nullptr;
    }
    const std::span<ReplayChannel> channels = takeStock(log, feed, memory);
    return new (memory) Catchup(feed, positionOf(from, log, channels), log.lastId(), from.history);
}

EventId Catchup::positionOf(const Beginning& from, const Log& log,
                            std::span<const ReplayChannel> channels) noexcept {
    switch (from.kind) {
    case Beginning::Kind::Now:
        return log.lastId();
    case Beginning::Kind::PublisherId:
        return findPublisherId(log, channels, publisherIdOnWire(from.requested).view()).value_or(kUnknown);
    case Beginning::Kind::Cursor:
        break;
    }
    return from.cursor;
}

ReadStatus Catchup::seek(uint32_t steps) noexcept {
    ReadStatus status = replay_.seek(steps);
    sought_ = status == ReadStatus::Ok;
    return status;
}

GapReason Catchup::reason() const noexcept {
    return gap() == Gap::Evicted ? GapReason::Evicted
           : gap() == Gap::Lost  ? GapReason::Lost
                                 : GapReason::Unknown;
}

GapCause Catchup::cause() const noexcept {
    switch (reason()) {
    case GapReason::Evicted:
        return replay_.missed() ? GapCause::History : GapCause::Evicted;
    case GapReason::Lost:
        return GapCause::Lost;
    case GapReason::Unknown:
        break;
    }
    return GapCause::Unknown;
}

Gap Catchup::gapFor(std::string_view requested) const noexcept {
    return requested.empty() && cursor_ == Replay::kBeginning ? Gap::None : gap();
}

Catchup::Progress Catchup::read(BatchRef& out, MergeMode mode) noexcept {
    const uint64_t tip = feed_.tail->tip(feed_);
    const Progress progress = readUntil(tip, Batch::most(), mode, out);
    // What has arrived since stock was taken may lie beyond the horizon.
    return progress == Progress::AtTip && tip > replay_.horizon() ? Progress::Outdated : progress;
}

Catchup::Progress Catchup::readStock(BatchRef& out, size_t most) noexcept {
    return readUntil(kNoOffset, most, MergeMode::Off, out);
}

Catchup::Progress Catchup::readUntil(uint64_t limit, size_t most, MergeMode mode, BatchRef& out) noexcept {
    const Log& log = feed_.tail->zone().log;
    Merger merger(mode);
    for (;;) {
        switch (holding_ ? ReadStatus::Ok : replay_.next(limit, event_)) {
        case ReadStatus::End:
            if (replay_.passBreak(limit)) {
                begun_ = false;
                return Progress::More;
            }
            return Progress::AtTip;
        case ReadStatus::Lapped:
            return Progress::Outdated;
        case ReadStatus::Ok:
            break;
        }

        const RecordHeader& header = event_.header;
        if (header.kind == RecordKind::End) {
            merger.separate();
            holding_ = false;
            continue;
        }
        if (out.size() != 0 && out.size() + merger.saved() + header.payloadLength > most) {
            holding_ = true;
            return Progress::More;
        }
        char* place = out.room(header.payloadLength);
        if (place == nullptr) {
            return Progress::NoMemory;
        }
        holding_ = false;
        if (!log.readPayload(event_.offset, header.nameLength, header.payloadLength, place)) {
            return Progress::Outdated;
        }
        out.grow(header.payloadLength);
        out.addEvent(header.id, header.time);
        cursor_ = header.id;
        out.shrink(merger.add(out->bytes(), out.size(),
                              {.size = header.payloadLength,
                               .idLineLength = header.idLineLength,
                               .channel = event_.channel,
                               .hasPublisherId = (header.flags & kHasPublisherId) != 0,
                               .endsChannel = endsChannel(header)}));
    }
}

uint32_t Catchup::subscribers() const noexcept {
    uint32_t most = 0;
    for (const ReplayChannel& channel : channels()) {
        most = std::max(most, channel.state.subscribers);
    }
    return most;
}

bool Catchup::isAbsent() const noexcept {
    auto all = channels();
    return !isAhead_ && std::all_of(all.begin(), all.end(), [](const ReplayChannel& channel) {
        return channel.state.newest == kNoOffset;
    });
}

bool Catchup::ended() const noexcept {
    const Log& log = feed_.tail->zone().log;
    auto all = channels();
    return !isAhead_ && std::all_of(all.begin(), all.end(), [&log](const ReplayChannel& channel) {
        return log.hasEnded(channel.state, channel.name);
    });
}

bool Catchup::onlyTheEnd() const noexcept {
    auto all = channels();
    return ended() && std::all_of(all.begin(), all.end(), [this](const ReplayChannel& channel) {
               return channel.state.newestId <= start();
           });
}

} // namespace sse
