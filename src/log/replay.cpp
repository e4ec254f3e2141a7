#include "log/replay.hpp"

#include <algorithm>
#include <cstring>

#include "sse/encode.hpp"

namespace sse {

namespace {

// Whether the id line of the record is "id: <id>~<publisherId>\n".
bool hasPublisherId(const Log& log, uint64_t offset, const RecordHeader& record,
                    std::string_view publisherId) noexcept {
    char piece[256];
    const size_t idLength = formatEventId(record.id, piece);
    if (record.idLineLength != IdLine::sizeOf(idLength, publisherId.size())) {
        return false;
    }
    size_t position = record.nameLength + IdLine::kField.size() + idLength + 1;
    while (!publisherId.empty()) {
        const size_t length = std::min(publisherId.size(), sizeof(piece));
        if (!log.readPayload(offset, position, length, piece) ||
            std::memcmp(piece, publisherId.data(), length) != 0) {
            return false;
        }
        publisherId.remove_prefix(length);
        position += length;
    }
    return true;
}

} // namespace

Replay::Replay(const Log& log, std::span<ReplayChannel> channels, EventId cursor, EventId lastId,
               const History& history) noexcept
    : log_(log), channels_(channels), cursor_(cursor), history_(history) {
    if (cursor > lastId || !log.couldHaveIssued(cursor)) {
        gap_ = Gap::Unknown;
        cursor_ = kBeginning;
    } else if (cursor == kBeginning && log.beganWithLoss()) {
        gap_ = Gap::Evicted;
    }
    for (ReplayChannel& channel : channels_) {
        channel.offset = channel.state.newest;
        channel.precedingId = channel.state.newestId;
        channel.after = kNoOffset;
        channel.first = kNoOffset;
        channel.found = 0;
        channel.start = std::max(cursor_, channel.state.newestId);
        channel.sought = false;
        horizon_ = std::min(horizon_, channel.state.head);
    }
}

ReadStatus Replay::seek(uint32_t steps) noexcept {
    while (sought_ < channels_.size()) {
        if (steps-- == 0) {
            return ReadStatus::End;
        }
        ReplayChannel& channel = channels_[sought_];
        if (!seekFurther(channel)) {
            return ReadStatus::Lapped;
        }
        if (channel.sought) {
            ++sought_;
        }
    }
    return ReadStatus::Ok;
}

// Takes one step back along the chain. false if the newest record is no longer there: its successors are to
// be read now, and only the index knows them. Where the chain is broken, because memory is damaged, the older
// records are lost; the seek ends, and what it has found can be read.
bool Replay::seekFurther(ReplayChannel& channel) noexcept {
    if (channel.precedingId <= cursor_) {
        finishSeek(channel, false);
        return true;
    }
    // There is something newer than the cursor: it is read, or it is missed.
    RecordHeader record;
    if (channel.found == history_.count || channel.offset == kNoOffset) {
        finishSeek(channel, true);
        return true;
    }
    const ReadStatus status = log_.readHeader(channel.offset, record);
    const Match named =
        status == ReadStatus::Ok ? log_.match(channel.offset, record, channel.name) : Match::Lapped;
    if (named == Match::Lapped && channel.offset == channel.state.newest && log_.tail() > channel.offset) {
        return false;
    }
    const bool broken = channel.after != kNoOffset && record.next != channel.after;
    if (named == Match::Lapped || broken || (named == Match::Yes && record.time < history_.since)) {
        finishSeek(channel, true);
        return true;
    }
    if (named == Match::Yes) {
        channel.first = channel.offset;
    }
    if (named == Match::Yes && record.kind == RecordKind::Event) {
        channel.start = std::max(cursor_, record.previousId);
        ++channel.found;
    }
    channel.after = channel.offset;
    channel.offset = record.previous < channel.offset ? record.previous : kNoOffset;
    channel.precedingId = record.previousId;
    return true;
}

void Replay::finishSeek(ReplayChannel& channel, bool missed) noexcept {
    channel.offset = channel.first;
    channel.sought = true;
    if (missed && cursor_ != kBeginning) {
        gap_ = Gap::Evicted;
    }
}

EventId Replay::start() const noexcept {
    if (channels_.empty()) {
        return cursor_;
    }
    return std::min_element(channels_.begin(), channels_.end(),
                            [](const ReplayChannel& a, const ReplayChannel& b) { return a.start < b.start; })
        ->start;
}

ReadStatus Replay::next(uint64_t limit, ReplayEvent& event) noexcept {
    if (sought_ < channels_.size()) {
        return ReadStatus::End;
    }
    for (;;) {
        // Ids and offsets grow together, so the first in the log is the next one by id.
        uint64_t offset = kNoOffset;
        for (const ReplayChannel& channel : channels_) {
            offset = std::min(offset, channel.offset);
        }
        if (offset >= std::min(limit, horizon_)) {
            return ReadStatus::End;
        }
        RecordHeader record;
        if (log_.readHeader(offset, record) != ReadStatus::Ok) {
            return ReadStatus::Lapped;
        }
        // Links to records before the horizon were set before the horizon was taken. A link that leads beyond
        // may still change, but is not followed.
        const uint64_t next = record.next > offset ? record.next : kNoOffset;
        bool wanted = false;
        for (ReplayChannel& channel : channels_) {
            if (channel.offset != offset) {
                continue;
            }
            const Match named = log_.match(offset, record, channel.name);
            if (named == Match::Lapped) {
                return ReadStatus::Lapped;
            }
            wanted = wanted || named == Match::Yes;
            channel.offset = next;
        }
        if (wanted) {
            event = {offset, record};
            return ReadStatus::Ok;
        }
    }
}

std::optional<EventId> findPublisherId(const Log& log, std::span<const ReplayChannel> channels,
                                       std::string_view publisherId, uint32_t steps) noexcept {
    std::optional<EventId> newest;
    for (const ReplayChannel& channel : channels) {
        uint64_t offset = channel.state.newest;
        RecordHeader record;
        for (uint32_t step = 0; step < steps && log.readHeader(offset, record) == ReadStatus::Ok; ++step) {
            if (newest && record.id <= *newest) {
                break;
            }
            if (!publisherId.empty() && log.isNamed(offset, record, channel.name) &&
                hasPublisherId(log, offset, record, publisherId)) {
                newest = record.id;
                break;
            }
            offset = record.previous;
        }
    }
    return newest;
}

} // namespace sse
