#include "log/replay.hpp"

#include <algorithm>

namespace sse {

namespace {

constexpr EventId kNewerThanAll{UINT64_MAX, UINT64_MAX};

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
    isCounted_ = gap_ == Gap::None;
    for (ReplayChannel& channel : channels_) {
        channel.offset = kNoOffset;
        channel.start = std::max(cursor_, channel.state.newestId);
        channel.firstId = kNewerThanAll;
        horizon_ = std::min(horizon_, channel.state.head);
    }
    // A break that was appended after the states were taken is for a later replay.
    const Break newest = log.newestBreak();
    if (newest.offset < horizon_ && cursor_ < newest.id) {
        break_ = newest;
    }
    if (channels_.empty()) {
        onSought();
    }
}

ReadStatus Replay::seek(uint32_t steps) noexcept {
    while (sought_ < channels_.size()) {
        if (steps-- == 0) {
            return ReadStatus::End;
        }
        ReplayChannel& channel = channels_[sought_];
        if (newestBefore(channel) <= cursor_) {
            finishSeek(false);
        } else if (!jump(channel) && !goBack(channel)) {
            // If not even the newest record is there any more, its successors are what should be read now,
            // and only the index knows them.
            if (seek_.offset == kNoOffset && log_.tail() > channel.state.newest) {
                return ReadStatus::Lapped;
            }
            finishSeek(true);
        }
    }
    return ReadStatus::Ok;
}

// The newest event before the place that the seek has come to. If it is newer than the cursor, it is read, or
// it is missed.
EventId Replay::newestBefore(const ReplayChannel& channel) const noexcept {
    return seek_.offset == kNoOffset ? channel.state.newestId : seek_.record.previousId;
}

// Takes the jump of the record, unless it leads too far. A damaged jump may lead anywhere, but it is never
// followed forward, so the seek ends. Among records of another channel each one has to be checked.
bool Replay::jump(ReplayChannel& channel) noexcept {
    const RecordHeader& from = seek_.record;
    RecordHeader record;
    if (seek_.offset == kNoOffset || (from.flags & kSharedChain) != 0 || from.jump >= seek_.offset ||
        log_.readHeader(from.jump, record) != ReadStatus::Ok ||
        !log_.isNamed(from.jump, record, channel.name)) {
        return false;
    }
    const uint32_t events = from.place - record.place;
    const bool isRight = record.number < from.number && record.id < from.id &&
                         (from.jumpLevel >= 32 || events >> from.jumpLevel == 0);
    return isRight && newestEvent(record) > cursor_ &&
           goTo(channel, from.jump, record, true, events, std::min(record.time, from.leastTime));
}

// Goes to the newest record, then to the predecessor. Also false where damaged memory breaks the chain: the
// older records are lost, and those that have been found can be read.
bool Replay::goBack(ReplayChannel& channel) noexcept {
    const bool isFirst = seek_.offset == kNoOffset;
    const uint64_t offset = isFirst ? channel.state.newest : seek_.record.previous;
    RecordHeader record;
    if (offset >= seek_.offset || log_.readHeader(offset, record) != ReadStatus::Ok) {
        return false;
    }
    const Match named = log_.match(offset, record, channel.name);
    if (named == Match::Lapped || (!isFirst && record.next != seek_.offset)) {
        return false;
    }
    const bool isOwn = named == Match::Yes;
    return goTo(channel, offset, record, isOwn, isOwn ? countEvents(record) : 0, record.time);
}

// The seek has come to that record, with so many events of the channel more. false, and it stays where it is,
// if the record or one that it has passed is beyond the history. An end counts for the event before it.
bool Replay::goTo(ReplayChannel& channel, uint64_t offset, const RecordHeader& record, bool isOwn,
                  uint32_t events, uint64_t leastTime) noexcept {
    if (!seek_.isCounting) {
        const uint64_t newer = seek_.found + events - (isOwn ? countEvents(record) : 0);
        if (newer >= history_.count || (isOwn && leastTime < history_.since)) {
            return false;
        }
        if (isOwn) {
            channel.offset = offset;
            channel.start = std::max(cursor_, record.previousId);
            channel.firstId = events != 0 ? record.id : channel.firstId; // an end needs no cursor
        }
    }
    seek_.offset = offset;
    seek_.record = record;
    seek_.found += events;
    return true;
}

// The channel is done, or what it has missed is still to be counted: the seek goes on to the cursor without
// the limits of the history.
void Replay::finishSeek(bool missed) noexcept {
    if (!seek_.isCounting && missed && cursor_ != kBeginning) {
        gap_ = Gap::Evicted;
        seek_.isCounting = true;
        seek_.kept = seek_.found;
        return;
    }
    if (seek_.isCounting) {
        isCounted_ = isCounted_ && !missed && (seek_.record.flags & kSharedChain) == 0;
        missed_ += seek_.found - seek_.kept;
    }
    seek_ = {};
    if (++sought_ == channels_.size()) {
        onSought();
    }
}

// If nothing is left before the break, but for ends, a reader is told at once, together with whatever else it
// has missed. One without a cursor has not begun to read, and misses nothing.
void Replay::onSought() noexcept {
    if (break_.offset != kNoOffset && (nextOffset() >= break_.offset || start() >= break_.id)) {
        gap_ = cursor_ == kBeginning ? gap_ : Gap::Lost;
        skipToBreak();
    }
}

bool Replay::passBreak(uint64_t limit) noexcept {
    if (sought_ < channels_.size() || limit <= break_.offset || nextOffset() < break_.offset) {
        return false;
    }
    gap_ = Gap::Lost;
    skipToBreak();
    return true;
}

// From here on it is the replay of a reader that has the break's id as its cursor.
void Replay::skipToBreak() noexcept {
    cursor_ = std::max(cursor_, break_.id);
    for (ReplayChannel& channel : channels_) {
        channel.start = std::max(channel.start, cursor_);
        channel.firstId = channel.offset == kNoOffset ? kNewerThanAll : std::max(channel.firstId, cursor_);
    }
    isCounted_ = false;
    break_ = {};
}

// Of the channels' next records the first in the log, which is also the first by id: both grow together.
uint64_t Replay::nextOffset() const noexcept {
    uint64_t offset = kNoOffset;
    for (const ReplayChannel& channel : channels_) {
        offset = std::min(offset, channel.offset);
    }
    return offset;
}

// The newest place before the first record that will be read: a channel of which nothing is read must not
// lead back to what the others leave out.
EventId Replay::start() const noexcept {
    EventId first = kNewerThanAll;
    for (const ReplayChannel& channel : channels_) {
        first = std::min(first, channel.firstId);
    }
    EventId start = cursor_;
    for (const ReplayChannel& channel : channels_) {
        if (channel.start < first) {
            start = std::max(start, channel.start);
        }
    }
    return start;
}

ReadStatus Replay::next(uint64_t limit, ReplayEvent& event) noexcept {
    if (sought_ < channels_.size()) {
        return ReadStatus::End;
    }
    while (!isBroken_) {
        const uint64_t offset = nextOffset();
        if (offset >= std::min({limit, horizon_, break_.offset})) {
            return ReadStatus::End;
        }
        RecordHeader record;
        if (log_.readHeader(offset, record) != ReadStatus::Ok) {
            return ReadStatus::Lapped;
        }
        const ReplayChannel* wanted = nullptr;
        for (ReplayChannel& channel : channels_) {
            if (channel.offset != offset) {
                continue;
            }
            const Match named = log_.match(offset, record, channel.name);
            if (named == Match::Lapped) {
                return ReadStatus::Lapped;
            }
            wanted = named == Match::Yes ? &channel : wanted;
            goOn(channel, record);
        }
        if (wanted != nullptr) {
            event = {offset, record, wanted};
            return ReadStatus::Ok;
        }
    }
    return ReadStatus::Lapped;
}

// On to the next record of the chain. Links to records before the horizon were there before the horizon was.
// A link that leads beyond may still change, but is not followed.
//
// The seek has jumped over what lies between, so it is here that a broken link is noticed: a new replay from
// the record before it finds out what is lost.
void Replay::goOn(ReplayChannel& channel, const RecordHeader& record) noexcept {
    if (channel.offset == channel.state.newest) {
        channel.offset = kNoOffset;
        return;
    }
    isBroken_ = isBroken_ || record.next >= horizon_ || !log_.isLinked(channel.offset, record.next);
    channel.offset = record.next;
}

std::optional<EventId> findPublisherId(const Log& log, std::span<const ReplayChannel> channels,
                                       std::string_view publisherId) noexcept {
    std::optional<EventId> newest;
    for (const ReplayChannel& channel : channels) {
        newest = std::max(newest, log.findPublisherId(channel.name, channel.hash, publisherId));
    }
    return newest;
}

} // namespace sse
