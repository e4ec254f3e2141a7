// Appending to the log: the writer's half of what log.hpp promises to readers.
#include <cstring>

#include "log/fault.hpp"
#include "log/log.hpp"
#include "log/ring.hpp"
#include "log/zone.hpp"

namespace sse {

namespace {

char* put(char* to, std::string_view text) noexcept {
    if (!text.empty()) {
        std::memcpy(to, text.data(), text.size());
    }
    return to + text.size();
}

uint64_t roundUp(uint64_t length) noexcept {
    return (length + 7) / 8 * 8;
}

} // namespace

Appended Log::append(const NewEvent& event, uint64_t nowMilliseconds) noexcept {
    begin();
    const Ring ring = this->ring();
    const EventId id = nextEventId(lastId(), nowMilliseconds);
    char idText[kMaxEventIdText];
    const size_t idTextLength = formatEventId(id, idText);
    const size_t ownLength = event.ownId.empty() ? 0 : 1 + event.ownId.size();
    const size_t idLineLength = kIdField.size() + idTextLength + ownLength + 1;
    const size_t payloadLength = idLineLength + event.fields.size();
    uint64_t length = roundUp(sizeof(RecordHeader) + event.channel.size() + payloadLength);

    if (length > maxRecord() || event.channel.size() > kMaxName || idLineLength > UINT16_MAX) {
        end();
        return {.status = AppendStatus::TooLarge, .id = {}};
    }

    // Where it goes: at the head, or at the start of the ring behind a pad. No rest is left without room for
    // a pad.
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    const uint64_t padding = length > ring.rest(head) ? ring.rest(head) : 0;
    const uint64_t offset = head + padding;
    if (ring.rest(offset) - length < sizeof(RecordHeader)) {
        length = ring.rest(offset);
    }
    makeRoom(offset + length);

    RecordHeader record{};
    record.number = header_->published.load(std::memory_order_relaxed);
    record.entry = kNoEntry;
    record.previous = kNoOffset;
    record.next = kNoOffset;
    if (padding != 0) {
        record.length = static_cast<uint32_t>(padding);
        record.kind = RecordKind::Pad;
        ring.write(head, record);
        faultPoint("append: pad written");
    }

    record.length = static_cast<uint32_t>(length);
    record.kind = event.end ? RecordKind::End : RecordKind::Event;
    record.nameLength = static_cast<uint16_t>(event.channel.size());
    record.payloadLength = static_cast<uint32_t>(payloadLength);
    record.idLineLength = static_cast<uint16_t>(idLineLength);
    record.id = id;
    record.hash = event.hash;
    record.time = nowMilliseconds;

    record.entry = index().findOrMake(event.hash);
    const ChannelState before = look(record.entry);
    record.previous = before.newest;
    record.previousId = before.newestId;

    ring.write(offset, record);
    faultPoint("append: header written");
    char* p = put(ring.at(offset) + sizeof(RecordHeader), event.channel);
    p = put(put(p, kIdField), {idText, idTextLength});
    if (ownLength != 0) {
        *p++ = '~';
        p = put(p, event.ownId);
    }
    *p++ = '\n';
    put(p, event.fields);
    faultPoint("append: record written");

    publish(offset, record);

    Appended result{.id = id};
    if (record.entry != kNoEntry) {
        result.listeners = entries_[record.entry].listeners;
        result.subscribers = index().subscribers(record.entry);
    }
    end();
    return result;
}

// Gives up the oldest records until the ring can hold all from the tail to `newHead`.
void Log::makeRoom(uint64_t newHead) noexcept {
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    const uint64_t oldTail = header_->tail.load(std::memory_order_relaxed);
    uint64_t tail = oldTail;

    while (tail < head && newHead - tail > header_->capacity) {
        const RecordHeader oldest = ring().header(tail);
        index().evicted(tail, oldest);
        tail = ring().after(tail, oldest);
    }
    if (tail != oldTail) {
        faultPoint("makeRoom: evicted");
        header_->tail.store(tail, std::memory_order_relaxed);
        faultPoint("makeRoom: tail moved");
        // Whoever sees a byte that is written from here on also sees the tail.
        std::atomic_thread_fence(std::memory_order_release);
    }
}

// Makes the record at `offset`, which lies complete in the ring, visible; then brings the index up to it.
void Log::publish(uint64_t offset, const RecordHeader& record) noexcept {
    if (record.previous != kNoOffset) {
        // Readers take a link to the head or behind it for the end of the chain. Should this writer die
        // before the head is there, something else may come to lie at that offset: the link is noted so that
        // it can be taken back.
        header_->pendingLink = record.previous;
        faultPoint("publish: link noted");
        ring().link(record.previous, offset);
        faultPoint("publish: linked");
    }
    header_->head.store(offset + record.length, std::memory_order_release);
    faultPoint("publish: head moved");
    redo(offset, record);
    header_->pendingLink = kNoOffset;
}

} // namespace sse
