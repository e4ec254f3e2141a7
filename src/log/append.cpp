// Appending to the log, and the bracket around every change: the writer's half of what log.hpp promises to
// readers.
#include <algorithm>
#include <initializer_list>

#include "log/assert.hpp"
#include "log/fault.hpp"
#include "log/index.hpp"
#include "log/ring.hpp"
#include "log/writer.hpp"
#include "sse/bytes.hpp"
#include "sse/encode.hpp"

namespace sse {

namespace {

uint8_t flagsOf(const NewEvent& event) noexcept {
    const int id = event.publisherId.empty() ? 0 : kHasPublisherId;
    const int last = event.end && !event.fields.empty() ? kLastEvent : 0;
    return static_cast<uint8_t>(id | last);
}

} // namespace

void LogWriter::beginChange() noexcept {
    recover();
    header_->dirty.store(1, std::memory_order_relaxed);
    faultPoint("beginChange");
}

void LogWriter::endChange() noexcept {
    SSE_ASSERT(header_->dirty.load(std::memory_order_relaxed) != 0);
    faultPoint("endChange: all done");
    header_->dirty.store(0, std::memory_order_relaxed);
    faultPoint("endChange");
}

Appended LogWriter::append(const NewEvent& event, uint64_t nowMilliseconds) noexcept {
    Draft draft = begin(nowMilliseconds);
    const AppendStatus status = add(draft, event);
    if (status != AppendStatus::Ok) {
        abandon(draft);
        return {.status = status, .id = {}};
    }
    return commit(draft);
}

Draft LogWriter::begin(uint64_t nowMilliseconds) noexcept {
    beginChange();
    return makeDraft(nowMilliseconds);
}

Draft LogWriter::makeDraft(uint64_t nowMilliseconds) const noexcept {
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    return {.time = nowMilliseconds,
            .from = head,
            .end = head,
            .lastId = lastId(),
            .number = header_->published.load(std::memory_order_relaxed),
            .newestId = {}};
}

AppendStatus LogWriter::add(Draft& draft, const NewEvent& event) noexcept {
    const bool isGiven = event.id != EventId{};
    const EventId id = isGiven ? event.id : nextEventId(draft.lastId, draft.time, lineage());
    char idText[kMaxEventIdText];
    const IdLine line({idText, formatEventId(id, idText)}, event.publisherId);
    const size_t idLineLength = line.size();

    if (header_->retired) {
        return AppendStatus::Retired;
    }
    if (isGiven && (id <= draft.lastId || !isOfThisLife(id))) {
        return AppendStatus::OldId;
    }
    if (event.channel.size() > kMaxChannelName || idLineLength > UINT16_MAX ||
        event.stamp.size() > UINT8_MAX ||
        draft.size +
                recordLength(event.channel.size(), idLineLength + event.fields.size(), event.stamp.size()) >
            maxRecord()) {
        return AppendStatus::TooLarge;
    }
    RecordHeader record{};
    record.kind = event.end && event.fields.empty() ? RecordKind::End : RecordKind::Event;
    record.nameLength = static_cast<uint16_t>(event.channel.size());
    record.payloadLength = static_cast<uint32_t>(idLineLength + event.fields.size());
    record.idLineLength = static_cast<uint16_t>(idLineLength);
    record.stampLength = static_cast<uint8_t>(event.stamp.size());
    record.flags = flagsOf(event);
    record.id = id;
    record.hash = event.hash;
    record.time = draft.time;
    record.entry = index().findOrMake(event.hash);
    write(draft, record,
          {event.channel, line.field, line.id, line.tilde, line.publisherId, line.lineEnd, event.fields,
           event.stamp});
    return AppendStatus::Ok;
}

// An id with the sequence 0 is a moment, not the id of an event.
bool LogWriter::isOfThisLife(EventId id) const noexcept {
    return id.sequence != 0 && isOfLineage(id, lineage());
}

AppendStatus LogWriter::appendBreak(EventId id) noexcept {
    Draft draft = begin(id.milliseconds);
    AppendStatus status = AppendStatus::Retired;
    if (header_->retired == 0) {
        status = id >= draft.lastId && isOfThisLife(id) ? AppendStatus::Ok : AppendStatus::OldId;
    }
    if (status == AppendStatus::Ok) {
        RecordHeader record{};
        record.kind = RecordKind::Break;
        record.id = id;
        record.time = draft.time;
        record.entry = kNoEntry;
        write(draft, record, {});
        publish(draft);
    }
    endChange();
    return status;
}

Appended LogWriter::commit(const Draft& draft) noexcept {
    publish(draft);
    Appended result{.id = draft.lastId, .bytes = draft.payload};
    if (draft.entry != kNoEntry) {
        result.listeners = entries_[draft.entry].listeners;
        result.subscribers = index().subscribers(draft.entry);
    }
    endChange();
    return result;
}

void LogWriter::abandon(const Draft& draft) noexcept {
    index().onAbandoned(draft.entry);
    endChange();
}

// Writes a record that fits, made of these pieces, after all others.
void LogWriter::write(Draft& draft, RecordHeader& record,
                      std::initializer_list<std::string_view> pieces) noexcept {
    const uint64_t offset = makePlace(draft, record);
    const Ring ring = this->ring(offset);
    char* p = ring.at(offset) + sizeof(RecordHeader);
    const std::string_view name{p, record.nameLength};
    for (std::string_view piece : pieces) {
        p = put(p, piece);
    }
    faultPoint("append: payload written");

    const ChannelState before = stateOf(record.entry);
    const bool isFirst = draft.newest == kNoOffset;
    record.number = draft.number;
    record.previous = isFirst || record.entry == kNoEntry ? before.newest : draft.newest;
    record.previousId = isFirst ? before.newestId : draft.newestId;
    record.next = kNoOffset;
    chain(ring, record, name);
    ring.write(offset, record);
    if (!isFirst && record.entry != kNoEntry) {
        ring.link(draft.newest, offset);
    }
    faultPoint("append: record written");

    draft.end = offset + record.length;
    draft.lastId = record.id;
    draft.number = numberAfter(record);
    draft.size += recordLength(record);
    draft.payload += record.kind == RecordKind::Event ? record.payloadLength : 0;
    draft.first = isFirst ? offset : draft.first;
    draft.newest = offset;
    draft.entry = record.entry;
    draft.newestId = newestEvent(record);
}

// Where the record goes, and its length: to the end of the draft, or to the start of the ring after a pad.
// The rest of the ring always has room for a pad.
uint64_t LogWriter::makePlace(Draft& draft, RecordHeader& record) noexcept {
    const Ring ring = this->ring();
    uint64_t length = recordLength(record);
    const uint64_t rest = ring.rest(draft.end);
    const uint64_t padding = length > rest ? rest : 0;
    const uint64_t offset = draft.end + padding;
    const uint64_t room = padding != 0 ? header_->capacity : rest;
    if (room - length < sizeof(RecordHeader)) {
        length = room;
    }
    SSE_ASSERT(length % 8 == 0 && length <= room && room == ring.rest(offset));
    makeRoom(offset + length);

    if (padding != 0) {
        RecordHeader pad{};
        pad.number = draft.number;
        pad.length = static_cast<uint32_t>(padding);
        pad.kind = RecordKind::Pad;
        pad.entry = kNoEntry;
        pad.previous = pad.next = kNoOffset;
        ring.write(draft.end, pad);
        faultPoint("append: pad written");
    }
    record.length = static_cast<uint32_t>(length);
    return offset;
}

// Gives a record its place after its predecessor, and its jump: see layout.hpp. The memory may be damaged, so
// a reader that follows the jump checks where it leads.
void LogWriter::chain(const Ring& ring, RecordHeader& record, std::string_view name) const noexcept {
    record.jump = kNoOffset;
    record.jumpLevel = 0;
    record.leastTime = record.time;
    record.place = 0;
    record.flags &= kEventFlags;
    const RecordHeader* const previous = ring.find(record.previous);
    if (previous == nullptr) {
        return;
    }
    record.jump = record.previous;
    record.jumpLevel = 1;
    record.place = previous->place + countEvents(*previous);
    if ((previous->flags & kSharedChain) != 0 || !ring.isNamed(*previous, name)) {
        record.flags |= kSharedChain;
    }

    const RecordHeader* const older = ring.find(previous->jump);
    if (older != nullptr && older->jumpLevel == previous->jumpLevel && ring.isInLog(older->jump)) {
        record.jump = older->jump;
        record.jumpLevel = static_cast<uint8_t>(older->jumpLevel + 1);
        record.leastTime = std::min({record.time, previous->leastTime, older->leastTime});
    }
}

// Evicts the oldest records until the ring can hold everything from the tail to `newHead`.
void LogWriter::makeRoom(uint64_t newHead) noexcept {
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    const uint64_t oldTail = header_->tail.load(std::memory_order_relaxed);
    uint64_t tail = oldTail;

    const Ring ring = this->ring();
    while (tail < head && newHead - tail > header_->capacity) {
        const RecordHeader* const oldest = ring.find(tail);
        if (oldest == nullptr) { // the record is damaged
            tail = head;
            break;
        }
        index().onEvicted(tail, *oldest);
        tail = ring.after(tail, *oldest);
    }
    SSE_ASSERT(oldTail <= tail && tail <= head && newHead - tail <= header_->capacity);
    if (tail != oldTail) {
        faultPoint("makeRoom: evicted");
        header_->tail.store(tail, std::memory_order_relaxed);
        faultPoint("makeRoom: tail moved");
        // A reader that sees a byte written from here on also sees the tail.
        std::atomic_thread_fence(std::memory_order_release);
    }
}

// Makes the records of a draft, which are complete in the ring, visible; then brings the index up to them.
void LogWriter::publish(const Draft& draft) noexcept {
    SSE_ASSERT(draft.first != kNoOffset && draft.from == header_->head.load(std::memory_order_relaxed));
    const uint64_t previous = ring(draft.end).header(draft.first).previous;
    if (ring().isInLog(previous)) { // it may have been evicted since, for those that came after the first
        // Readers take a link to the head or beyond for the end of the chain. If this writer dies before it
        // stores the head, something else may come to lie at that offset: the link is noted so that it can be
        // taken back.
        header_->pendingLink = previous;
        faultPoint("publish: link noted");
        ring().link(previous, draft.first);
        faultPoint("publish: linked");
    }
    header_->head.store(draft.end, std::memory_order_release);
    faultPoint("publish: head moved");
    applyToIndex(draft.from);
    header_->pendingLink = kNoOffset;
}

// Enters the records that have been published from there on.
void LogWriter::applyToIndex(uint64_t from) noexcept {
    const Ring ring = this->ring();
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    for (uint64_t offset = from; offset < head;) {
        const RecordHeader record = ring.header(offset);
        if (ring.isPublished(offset, record)) { // otherwise the memory is damaged
            applyToIndex(offset, record);
        }
        offset = ring.after(offset, record);
    }
}

// Enters a published record into the index and the counters. Can be repeated.
void LogWriter::applyToIndex(uint64_t offset, const RecordHeader& record) noexcept {
    SSE_ASSERT(ring().isInLog(offset) && ring().isPublished(offset, record));
    if (record.kind == RecordKind::Break) {
        header_->breakOffset.store(offset, std::memory_order_relaxed);
        faultPoint("applyToIndex: break found");
        header_->breakId.store(record.id);
        faultPoint("applyToIndex: break");
    } else if (record.kind != RecordKind::Pad) {
        index().onPublished(offset, record);
        if ((record.flags & kHasPublisherId) != 0) {
            addPublisherId(offset, record);
        }
        if (record.stampLength != 0) {
            addStamp(offset, record);
        }
    }
    if (record.kind != RecordKind::Pad) {
        header_->lastId.store(record.id);
        faultPoint("applyToIndex: last id");
        header_->published.store(numberAfter(record), std::memory_order_relaxed);
        faultPoint("applyToIndex: counted");
    }
    header_->indexedUpTo = offset + record.length;
    faultPoint("applyToIndex: indexed");
}

} // namespace sse
