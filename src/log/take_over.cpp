// Taking over from a log of another size, or of another copy of the module.
#include "log/assert.hpp"
#include "log/index.hpp"
#include "log/ring.hpp"
#include "log/writer.hpp"

namespace sse {

void LogWriter::takeOver(LogWriter& old) noexcept {
    SSE_ASSERT(!isSame(old) && head() == 0);
    old.recover();
    beginChange();
    header_->key = old.header_->key;         // the hashes in the records stay valid
    header_->lineage = old.header_->lineage; // so that the old ids stay valid
    header_->eventsLost |= old.header_->eventsLost;
    header_->forgottenId.store({}); // records older than what has been forgotten follow

    const uint64_t head = old.head();
    const uint64_t tail = old.tail();
    const bool isWhole = adoptRecords(old, tail, head);
    // Channels without a record lose their entries, and with them their newest ids.
    header_->forgottenId.raise(old.header_->forgottenId.load());
    for (uint32_t number = 0; number < old.header_->used; ++number) {
        const IndexEntry& entry = old.entries_[number];
        if (entry.newest == kNoOffset || entry.newest < tail) {
            header_->forgottenId.raise(entry.newestId);
        }
    }
    header_->lastId.store(old.lastId()); // the newest may have been too large, here or in an earlier log
    header_->published.store(old.header_->published.load());
    if (!isWhole) {
        loseTrack();
    }
    index().rebuild(); // records that were too large have left entries behind
    endChange();
    old.header_->retired = 1;
}

void LogWriter::noteLoss() noexcept {
    header_->eventsLost = 1;
}

// false: a record is damaged, so the ones after it cannot be reached.
bool LogWriter::adoptRecords(const LogWriter& old, uint64_t tail, uint64_t head) noexcept {
    while (tail < head) {
        const RecordHeader record = old.ring().header(tail);
        if (!old.ring().isPublished(tail, record)) {
            return false;
        }
        if (record.kind != RecordKind::Pad) {
            adopt(old, tail, record);
        }
        tail += record.length;
    }
    return true;
}

// Any channel may have missed something up to the newest event: all are as if that had just been evicted.
void LogWriter::loseTrack() noexcept {
    header_->forgottenId.raise(lastId());
    for (uint32_t number = 0; number < header_->used; ++number) {
        entries_[number].newest = kNoOffset;
        entries_[number].newestId = lastId();
    }
}

// A record that is too large for this log leaves its channel as if it had just been evicted. So does one that
// the old log's index does not lead to: it may not be the last of its channel.
void LogWriter::adopt(const LogWriter& old, uint64_t offset, const RecordHeader& record) noexcept {
    const bool isKnown = old.stateOf(old.index().find(record.hash)).newest != kNoOffset;
    const size_t length = size_t{record.nameLength} + record.payloadLength;
    RecordHeader copy = record;
    copy.entry = isKnown ? index().findOrMake(record.hash) : kNoEntry;
    IndexEntry* const entry = copy.entry != kNoEntry ? &entries_[copy.entry] : nullptr;

    if (recordLength(record.nameLength, record.payloadLength) > maxRecord()) {
        header_->forgottenId.raise(record.id);
        if (entry != nullptr) {
            entry->newest = kNoOffset;
            entry->newestId = record.id;
        }
        return;
    }
    // Between the previous record of the channel and the last one here there may have been one that was too
    // large for an earlier log.
    if (entry == nullptr) {
        header_->forgottenId.raise(record.previousId);
    } else if (entry->newest == kNoOffset || entry->newestId < record.previousId) {
        entry->newest = kNoOffset;
        entry->newestId = record.previousId;
    }
    header_->published.store(record.number); // the count goes on
    insert(copy, {{old.ring().at(offset) + sizeof(RecordHeader), length}});
}

} // namespace sse
