#include "log/take_over.hpp"

#include <algorithm>

#include "log/assert.hpp"
#include "log/fault.hpp"
#include "log/index.hpp"
#include "log/ring.hpp"

namespace sse {

void LogWriter::retire() noexcept {
    recover();
    header_->retired = 1;
    faultPoint("retire: done");
}

void LogWriter::noteLoss() noexcept {
    header_->eventsLost.store(1, std::memory_order_relaxed);
}

void TakeOver::begin() noexcept {
    SSE_ASSERT(!log_.isSame(old_) && log_.head() == 0);
    LogHeader& header = *log_.header_;
    log_.beginChange();
    header.key = old_.header_->key; // the hashes in the records stay true
    header.forgottenId.store({});   // for records are to come that are older than what has been forgotten
    from_ = position_ = old_.tail();
}

// Copies what is there now, and returns how many bytes have come meanwhile.
uint64_t TakeOver::copyToHead() noexcept {
    const uint64_t head = old_.head();
    while (isWhole_ && position_ < head) {
        copyRecord(head);
    }
    return isWhole_ ? old_.head() - position_ : 0;
}

void TakeOver::copyRecord(uint64_t head) noexcept {
    faultPoint("take over: next record");
    RecordHeader record;
    const bool isThere = old_.readHeader(position_, record) == ReadStatus::Ok;
    const bool isLapped = old_.tail() > position_;
    if (!isLapped && (!isThere || record.length > head - position_)) {
        isWhole_ = false; // damaged: the records after it cannot be found
    } else if (!isLapped && (record.kind == RecordKind::Pad || take(record))) {
        position_ += record.length;
    } else {
        startAgain();
    }
}

// The old ring has moved on past the place to be copied. So what has been copied is not in it any more
// either, and the new log begins as late as the old one does now. It may even be another life.
void TakeOver::startAgain() noexcept {
    from_ = position_ = old_.tail();
    LogHeader& header = *log_.header_;
    const uint64_t head = header.head.load(std::memory_order_relaxed);
    if (header.used != 0 || header.tail.load(std::memory_order_relaxed) != head) {
        header.forgottenId.store({});
        header.used = 0;
        header.tail.store(head, std::memory_order_relaxed);
        log_.index().rebuild();
        faultPoint("take over: again");
    }
}

// Takes the record at the position; false if it was overwritten meanwhile.
bool TakeOver::take(RecordHeader record) noexcept {
    if (record.kind == RecordKind::Break) {
        return copy(record);
    }
    return !adopt(record) || copy(record);
}

// Gives the record an entry. One that is too large for the new log leaves its channel as if it had just been
// evicted: false.
bool TakeOver::adopt(RecordHeader& record) noexcept {
    LogHeader& header = *log_.header_;
    const uint32_t number = log_.index().findOrMake(record.hash);
    IndexEntry* const entry = number != kNoEntry ? &log_.entries_[number] : nullptr;

    if (recordLength(record) > log_.maxRecord()) {
        header.forgottenId.raise(record.id);
        if (entry != nullptr) {
            log_.index().loseRecords(number);
            entry->newestId = record.id;
        }
        return false;
    }
    // What came last before it: between that and the last one here may have been one that was too large, for
    // this log or for a log before, or that the old log's index had no room for.
    if (entry == nullptr) {
        header.forgottenId.raise(record.previousId);
    } else if (entry->newest == kNoOffset || entry->newestId < record.previousId) {
        log_.index().loseRecords(number);
        entry->newestId = record.previousId;
    }
    record.entry = number;
    return true;
}

bool TakeOver::copy(RecordHeader record) noexcept {
    const size_t length = size_t{record.nameLength} + record.payloadLength + record.stampLength;
    log_.header_->published.store(record.number); // the count goes on
    Draft draft = log_.makeDraft(record.time);
    log_.write(draft, record, {{old_.ring().at(position_) + sizeof(RecordHeader), length}});
    std::atomic_thread_fence(std::memory_order_acquire);
    if (old_.header_->tail.load(std::memory_order_relaxed) > position_) {
        return false; // what has been written may be torn, and stays invisible
    }
    log_.publish(draft);
    return true;
}

// Whether the newest record of a channel of the old log has been copied.
bool TakeOver::isCopied(const IndexEntry& old) const noexcept {
    return old.newest != kNoOffset && old.newest >= from_;
}

// Channels without a record lose their entries, and with them their newest ids. Returns the entry to go on
// with; 0: none.
uint32_t TakeOver::compareOldEntries(LogWriter& old, uint32_t from) noexcept {
    old.recover();
    const uint32_t used = old.header_->used;
    const uint32_t until = std::min(used - std::min(from, used), kSlice) + from;
    for (uint32_t number = from; number < until; ++number) {
        if (!isCopied(old.entries_[number])) {
            log_.header_->forgottenId.raise(old.entries_[number].newestId);
        }
    }
    return until < used ? until : 0;
}

// A channel that the old log's index does not lead to loses its entry: the last one that was copied may not
// be the last that it had.
uint32_t TakeOver::compareEntries(LogWriter& old, uint32_t from) noexcept {
    old.recover();
    LogHeader& header = *log_.header_;
    const uint32_t until = std::min(header.used - std::min(from, header.used), kSlice) + from;
    for (uint32_t number = from; number < until; ++number) {
        IndexEntry& entry = log_.entries_[number];
        const uint32_t known = old.index().find(entry.hash);
        if (known == kNoEntry || !isCopied(old.entries_[known])) {
            header.forgottenId.raise(entry.newestId);
            entry.newest = kNoOffset;
            entry.nextInBucket = kNotLinked;
        }
    }
    return until < header.used ? until : 0;
}

// Comes last: an entry that was reused before it could be compared has left its id there.
void TakeOver::takeForgottenId(LogWriter& old) noexcept {
    old.recover();
    log_.header_->forgottenId.raise(old.header_->forgottenId.load());
}

void TakeOver::finish() noexcept {
    LogHeader& header = *log_.header_;
    header.lineage.store(old_.lineage()); // it is one life
    if (old_.beganWithLoss()) {
        log_.noteLoss();
    }
    header.lastId.store(old_.lastId()); // the newest may have been too large, here or in a log before
    takeBreak();
    header.published.store(old_.header_->published.load());
    header.forgottenChannels.store(old_.header_->forgottenChannels.load());
    if (!isWhole_) {
        loseTrack();
    }
    log_.index().rebuild(); // not every entry has kept its record
    log_.endChange();
}

// The newest break, if it was no longer in the old ring: then it comes before everything that was there. If
// the old ring was damaged, this is not certain.
void TakeOver::takeBreak() noexcept {
    const Break newest = old_.newestBreak();
    LogHeader& header = *log_.header_;
    if (header.breakId.load() != newest.id) {
        header.breakOffset.store(isWhole_ ? 0 : header.head.load());
        header.breakId.store(newest.id);
    }
}

// Any channel may have missed something up to the newest event: all are as if that had just been evicted.
void TakeOver::loseTrack() noexcept {
    log_.header_->forgottenId.raise(log_.lastId());
    for (uint32_t number = 0; number < log_.header_->used; ++number) {
        log_.entries_[number].newest = kNoOffset;
        log_.entries_[number].newestId = log_.lastId();
    }
}

} // namespace sse
