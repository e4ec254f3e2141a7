#include "log/index.hpp"

#include <algorithm>

#include "log/assert.hpp"
#include "log/fault.hpp"
#include "log/ring.hpp"

namespace sse {

namespace {

bool isListenedTo(const IndexEntry& entry) noexcept {
    return std::any_of(entry.listeners.begin(), entry.listeners.end(),
                       [](uint64_t word) { return word != 0; });
}

void add(std::atomic<uint32_t>& counter, uint32_t change) noexcept {
    // There is one writer, so no locked instruction is needed.
    counter.store(counter.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

} // namespace

Index::Index(LogHeader* header, IndexEntry* entries, std::byte* ring) noexcept
    : header_(header), entries_(entries), buckets_(bucketsOf(header)), ring_(ring) {}

uint32_t& Index::bucket(uint64_t hash) const noexcept {
    return buckets_[hash & (header_->buckets - 1)];
}

// Channels without listeners keep only records from there on.
uint64_t Index::keptFrom() const noexcept {
    return std::max(header_->tail.load(std::memory_order_relaxed), header_->staleHand);
}

bool Index::reusable(const IndexEntry& entry) const noexcept {
    return !isListenedTo(entry) && (entry.newest == kNoOffset || entry.newest < keptFrom());
}

uint32_t Index::subscribers(uint32_t entry) const noexcept {
    SSE_ASSERT(entry < header_->used);
    const bool valid = entries_[entry].census == header_->census.load(std::memory_order_relaxed);
    return valid ? entries_[entry].subscribers : 0;
}

uint32_t Index::find(uint64_t hash) const noexcept {
    uint32_t entry = bucket(hash);
    while (entry != kNoEntry && entries_[entry].hash != hash) {
        SSE_ASSERT(entry < header_->used);
        entry = entries_[entry].nextInBucket;
    }
    return entry;
}

uint32_t Index::findOrMake(uint64_t hash) noexcept {
    uint32_t entry = find(hash);
    if (entry != kNoEntry) {
        return entry;
    }
    if (header_->used < header_->channels) {
        entry = header_->used;
        entries_[entry].nextInQueue = kNotQueued;
    } else if (entry = takeReusable(); entry != kNoEntry) {
        forget(entry);
    } else {
        return kNoEntry;
    }
    assign(entry, hash);
    return entry;
}

// Takes an entry away from its channel. Once the id is noted, a death at any point does no harm.
void Index::forget(uint32_t number) noexcept {
    SSE_ASSERT(number < header_->used);
    IndexEntry& entry = entries_[number];
    if (entry.nextInBucket == kNotLinked) {
        return; // a writer died before it was assigned
    }
    const bool hadRecords =
        entry.newest != kNoOffset && entry.newest >= header_->tail.load(std::memory_order_relaxed);

    header_->forgottenId.raise(entry.newestId);
    faultPoint("forget: id remembered");

    uint32_t* link = &bucket(entry.hash);
    while (*link != number) {
        link = &entries_[*link].nextInBucket;
    }
    *link = entry.nextInBucket;
    faultPoint("forget: out of the bucket");
    entry.nextInBucket = kNotLinked;
    faultPoint("forget: nobody's");

    if (hadRecords) { // a death right here costs the status page one count
        header_->forgottenChannels.store(header_->forgottenChannels.load(std::memory_order_relaxed) + 1,
                                         std::memory_order_relaxed);
    }
}

// Gives a free entry to a channel; the link into the bucket makes it valid.
void Index::assign(uint32_t number, uint64_t hash) noexcept {
    SSE_ASSERT(number <= header_->used && number < header_->channels);
    IndexEntry& entry = entries_[number];
    entry.nextInBucket = kNotLinked;
    faultPoint("assign: start");
    entry.hash = hash;
    entry.newest = kNoOffset;
    entry.newestId = header_->forgottenId.load();
    entry.listeners = {};
    entry.subscribers = 0;
    entry.census = header_->census.load(std::memory_order_relaxed);
    faultPoint("assign: filled in");
    if (number == header_->used) {
        header_->used = number + 1;
        faultPoint("assign: used");
    }
    uint32_t& first = bucket(hash);
    entry.nextInBucket = first;
    faultPoint("assign: valid");
    first = number;
    faultPoint("assign: in the bucket");
}

void Index::onPublished(uint64_t offset, const RecordHeader& record) noexcept {
    const bool isEvent =
        record.kind == RecordKind::Event; // an end is not something that a subscriber can miss
    if (record.entry >= header_->used || entries_[record.entry].hash != record.hash ||
        entries_[record.entry].nextInBucket == kNotLinked) {
        if (isEvent) {
            header_->forgottenId.raise(record.id); // it cannot be found
        }
        return;
    }
    IndexEntry& entry = entries_[record.entry];
    if (reusable(entry)) {
        add(header_->inUse, 1);
    }
    entry.newest = offset;
    faultPoint("onPublished: offset");
    if (isEvent) {
        entry.newestId = record.id;
        faultPoint("onPublished: id");
    }
}

void Index::onEvicted(uint64_t offset, const RecordHeader& record) noexcept {
    // An entry before the stale hand has been retired already, or will be when its listeners leave.
    if (record.entry < header_->used && entries_[record.entry].newest == offset &&
        offset >= header_->staleHand && !isListenedTo(entries_[record.entry])) {
        retire(record.entry);
    }
}

void Index::addListener(uint32_t number, uint32_t listenerId) noexcept {
    SSE_ASSERT(number < header_->used && listenerId < kMaxListeners);
    IndexEntry& entry = entries_[number];
    if (reusable(entry)) {
        add(header_->inUse, 1);
    }
    faultPoint("listener: counted");
    entry.listeners[listenerId / 64] |= uint64_t{1} << listenerId % 64;
    faultPoint("listener: added");
}

void Index::removeListener(uint32_t number, uint32_t listenerId) noexcept {
    SSE_ASSERT(number < header_->used && listenerId < kMaxListeners);
    IndexEntry& entry = entries_[number];
    const uint64_t bit = uint64_t{1} << listenerId % 64;
    if ((entry.listeners[listenerId / 64] & bit) == 0) {
        return;
    }
    entry.listeners[listenerId / 64] &= ~bit;
    faultPoint("listener: removed");
    if (!isListenedTo(entry)) {
        entry.subscribers = 0;
        if (reusable(entry)) {
            retire(number);
        }
    }
}

// An entry has become reusable.
void Index::retire(uint32_t entry) noexcept {
    add(header_->inUse, UINT32_MAX);
    faultPoint("retire: counted");
    push(entry);
}

void Index::push(uint32_t entry) noexcept {
    SSE_ASSERT(entry < header_->used);
    if (entries_[entry].nextInQueue != kNotQueued) {
        return; // it has been in use again since it was queued, and has kept its place
    }
    entries_[entry].nextInQueue = kNoEntry;
    faultPoint("push: last");
    (header_->queueTail == kNoEntry ? header_->queueHead : entries_[header_->queueTail].nextInQueue) = entry;
    faultPoint("push: linked");
    header_->queueTail = entry;
    faultPoint("push: done");
}

uint32_t Index::pop() noexcept {
    const uint32_t entry = header_->queueHead;
    if (entry == kNoEntry) {
        return kNoEntry;
    }
    SSE_ASSERT(entry < header_->used);
    header_->queueHead = entries_[entry].nextInQueue;
    faultPoint("pop: head");
    if (header_->queueHead == kNoEntry) {
        header_->queueTail = kNoEntry;
    }
    entries_[entry].nextInQueue = kNotQueued;
    faultPoint("pop: done");
    return entry;
}

uint32_t Index::takeReusable() noexcept {
    uint32_t entry = pop();
    while (entry != kNoEntry && !reusable(entries_[entry])) {
        entry = pop();
    }
    return entry != kNoEntry ? entry : takeStalest();
}

// The channel without listeners that has been silent for longest. The hand passes through the log once: a
// channel whose newest record it passes without taking it has listeners, and is retired when they leave.
uint32_t Index::takeStalest() noexcept {
    const Ring ring{header_, ring_};
    const uint64_t head = header_->head.load(std::memory_order_relaxed);
    uint64_t hand = keptFrom();

    while (hand < head) {
        const RecordHeader record = ring.header(hand);
        const uint64_t offset = hand;
        hand = ring.after(offset, record);
        if (record.entry < header_->used && entries_[record.entry].newest == offset &&
            !isListenedTo(entries_[record.entry])) {
            header_->staleHand = hand;
            add(header_->inUse, UINT32_MAX);
            faultPoint("stalest: found");
            return record.entry;
        }
    }
    header_->staleHand = hand;
    faultPoint("stalest: none");
    return kNoEntry;
}

void Index::rebuild() noexcept {
    std::fill_n(buckets_, header_->buckets, kNoEntry);
    header_->queueHead = kNoEntry;
    header_->queueTail = kNoEntry;
    faultPoint("rebuild: empty");

    // Entries that a dead writer has left without a channel come first, so that no other channel is forgotten
    // for lack of them.
    for (uint32_t number = 0; number < header_->used; ++number) {
        IndexEntry& entry = entries_[number];
        entry.nextInQueue = kNotQueued;
        if (entry.nextInBucket == kNotLinked) {
            entry.newest = kNoOffset;
            entry.newestId = {};
            entry.listeners = {};
            push(number);
        }
        faultPoint("rebuild: freed");
    }

    uint32_t inUse = 0;
    for (uint32_t number = 0; number < header_->used; ++number) {
        IndexEntry& entry = entries_[number];
        if (entry.nextInBucket == kNotLinked) {
            continue;
        }
        entry.nextInBucket = bucket(entry.hash);
        bucket(entry.hash) = number;
        faultPoint("rebuild: linked");
        if (reusable(entry)) {
            push(number);
        } else {
            ++inUse;
        }
    }
    header_->inUse.store(inUse, std::memory_order_relaxed);
}

} // namespace sse
