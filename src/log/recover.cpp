// What the next writer does after one has died in the middle of a change.
#include <algorithm>

#include "log/assert.hpp"
#include "log/fault.hpp"
#include "log/index.hpp"
#include "log/ring.hpp"
#include "log/writer.hpp"

namespace sse {

// The head is the truth: a record before it exists, whatever the index knows; a record after it does not.
// Every step can be repeated, so dying in here does no harm either.
void LogWriter::recover() noexcept {
    if (header_->dirty.load(std::memory_order_relaxed) == 0) {
        return;
    }
    if (header_->nextLineage != 0) {
        finishLife();
        endChange();
        return;
    }
    const Ring ring = this->ring();
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    const uint64_t tail = header_->tail.load(std::memory_order_relaxed);

    SSE_ASSERT(tail <= head && head - tail <= header_->capacity && header_->indexedUpTo <= head);

    const uint64_t linked = header_->pendingLink;
    if (linked >= tail && linked < head && ring.header(linked).next >= head) {
        ring.link(linked, kNoOffset);
    }
    faultPoint("recover: link taken back");
    header_->pendingLink = kNoOffset;
    faultPoint("recover: link forgotten");

    index().rebuild();
    applyToIndex(std::max(header_->indexedUpTo, tail));
    endChange();
}

} // namespace sse
