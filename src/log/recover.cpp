// What a writer does before and after a change, and what the next one does for a writer that died in between.
#include <algorithm>

#include "log/fault.hpp"
#include "log/layout.hpp"
#include "log/log.hpp"
#include "log/ring.hpp"

namespace sse {

void Log::begin() noexcept {
    recover();
    header_->dirty.store(1, std::memory_order_relaxed);
    faultPoint("begin");
}

void Log::end() noexcept {
    faultPoint("end: all done");
    header_->dirty.store(0, std::memory_order_relaxed);
    faultPoint("end");
}

// The head is the truth: a record before it is an event, whatever the index knows; what lies behind it does
// not exist. Every step can be repeated, so that dying in here does no harm either.
void Log::recover() noexcept {
    if (header_->dirty.load(std::memory_order_relaxed) == 0) {
        return;
    }
    const Ring ring = this->ring();
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    const uint64_t tail = header_->tail.load(std::memory_order_relaxed);

    const uint64_t linked = header_->pendingLink;
    if (linked >= tail && linked < head && ring.header(linked).next >= head) {
        ring.link(linked, kNoOffset);
    }
    faultPoint("recover: link taken back");
    header_->pendingLink = kNoOffset;
    faultPoint("recover: link forgotten");

    for (uint64_t offset = std::max(header_->indexedUpTo, tail); offset < head;) {
        const RecordHeader record = ring.header(offset);
        if (ring.isPublished(offset, record)) { // else somebody else has spoilt it
            redo(offset, record);
        }
        offset = ring.after(offset, record);
    }
    index().rebuild();
    end();
}

// Tells the index and the counters of a record that has been published. Can be repeated.
void Log::redo(uint64_t offset, const RecordHeader& record) noexcept {
    if (record.kind != RecordKind::Pad) {
        index().published(offset, record);
        header_->lastId.store(record.id);
        faultPoint("redo: last id");
        header_->published.store(record.number + 1, std::memory_order_relaxed);
        faultPoint("redo: counted");
    }
    header_->indexedUpTo = ring().after(offset, record);
    faultPoint("redo: indexed");
}

} // namespace sse
