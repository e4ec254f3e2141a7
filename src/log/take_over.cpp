// Taking over from a log of another size.
#include "log/log.hpp"
#include "log/ring.hpp"
#include "log/zone.hpp"

namespace sse {

void Log::takeOver(Log& old) noexcept {
    old.recover();
    begin();
    header_->key = old.header_->key; // the hashes in the records stay true
    header_->published.store(old.header_->published.load());

    // Channels without a record lose their entries, and with them their newest ids.
    const uint64_t head = old.head();
    const uint64_t tail = old.tail();
    header_->forgottenId.store(old.header_->forgottenId.load());
    for (uint32_t number = 0; number < old.header_->used; ++number) {
        const IndexEntry& entry = old.entries_[number];
        if (entry.newest == kNoOffset || entry.newest < tail) {
            header_->forgottenId.raise(entry.newestId);
        }
    }

    for (uint64_t offset = tail; offset < head;) {
        const RecordHeader record = old.ring().header(offset);
        if (record.kind != RecordKind::Pad) {
            take(old, offset, record);
        }
        offset = old.ring().after(offset, record);
    }
    header_->lastId.raise(old.lastId()); // the newest may have been too large
    index().rebuild(); // records that were too large have left entries behind
    end();
    old.header_->retired = 1;
}

// A record that is too large for this log leaves its channel as if it had just been evicted.
void Log::take(const Log& old, uint64_t offset, const RecordHeader& record) noexcept {
    RecordHeader copy = record;
    copy.entry = index().findOrMake(record.hash);
    const bool isNew = copy.entry != kNoEntry && entries_[copy.entry].newest == kNoOffset;
    const size_t length = size_t{record.nameLength} + record.payloadLength;

    if ((sizeof(RecordHeader) + length + 7) / 8 * 8 > maxRecord()) {
        header_->published.store(record.number + 1);
        header_->forgottenId.raise(record.id);
        if (copy.entry != kNoEntry) {
            entries_[copy.entry].newest = kNoOffset;
            entries_[copy.entry].newestId = record.id;
        }
        return;
    }
    header_->published.store(record.number); // the count goes on
    if (isNew) {
        entries_[copy.entry].newestId = record.previousId;
    }
    insert(copy, {{old.ring().at(offset) + sizeof(RecordHeader), length}});
}

} // namespace sse
