// Another life of the log, in the same memory: for ids that come from another source, which has started them
// again.
#include <algorithm>

#include "log/fault.hpp"
#include "log/index.hpp"
#include "log/writer.hpp"

namespace sse {

// Once the lineage is noted the life has begun: if this writer dies, the next one goes on.
bool LogWriter::beginLife(uint64_t lineage) noexcept {
    beginChange();
    const bool begins = header_->retired == 0 && lineage != 0 && lineage < kLineages;
    if (begins) {
        header_->nextLineage = lineage;
        faultPoint("beginLife: certain");
        finishLife();
    }
    endChange();
    return begins;
}

// Every step can be repeated.
//
// The head skips a part of the ring, and the tail moves with it: so every reader is lapped, even one that had
// read to the head. Its subscribers then read the log themselves, which they must, because no new event seems
// newer than what they have. Between the two stores the tail is past the head, and the log looks empty.
void LogWriter::finishLife() noexcept {
    const uint64_t lineage = header_->nextLineage;
    const EventId birth{0, lineage};
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    const uint64_t start = (head / header_->capacity + 1) * header_->capacity;
    header_->tail.store(start, std::memory_order_relaxed);
    faultPoint("beginLife: evicted");
    // A reader that sees a byte written from here on also sees the tail.
    std::atomic_thread_fence(std::memory_order_release);
    header_->head.store(start, std::memory_order_release);
    faultPoint("beginLife: head moved");
    header_->indexedUpTo = start;
    header_->pendingLink = kNoOffset;

    std::for_each_n(entries_, header_->used, [birth](IndexEntry& entry) noexcept {
        entry.newest = kNoOffset;
        entry.newestId = birth;
    });
    faultPoint("beginLife: entries");
    header_->lineage.store(lineage, std::memory_order_relaxed);
    header_->lastId.store(birth);
    header_->forgottenId.store(birth);
    faultPoint("beginLife: ids");
    header_->breakId.store({});
    header_->eventsLost.store(0, std::memory_order_relaxed);
    faultPoint("beginLife: nothing is missing");
    index().rebuild();
    header_->nextLineage = 0;
    faultPoint("beginLife: done");
}

} // namespace sse
