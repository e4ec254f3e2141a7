#include "log/index.hpp"

#include <algorithm>

#include "log/assert.hpp"
#include "log/fault.hpp"

namespace sse {

namespace {

bool hasListener(const IndexEntry& entry) noexcept {
    return std::any_of(entry.listeners.begin(), entry.listeners.end(),
                       [](uint64_t word) { return word != 0; });
}

// Whether one of the listeners certainly has a subscriber.
bool hasExclusiveListener(const IndexEntry& entry) noexcept {
    static_assert(kMaxListeners == 128 && kExclusiveListeners > 64);
    constexpr uint64_t kUpper = (uint64_t{1} << (kExclusiveListeners - 64)) - 1;
    return (entry.listeners[0] | (entry.listeners[1] & kUpper)) != 0;
}

void add(std::atomic<uint32_t>& counter, uint32_t change) noexcept {
    // There is one writer, so no locked instruction is needed.
    counter.store(counter.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

} // namespace

Index::Index(LogHeader* header, IndexEntry* entries) noexcept
    : header_(header), entries_(entries), buckets_(bucketsOf(header)) {}

uint32_t& Index::bucket(uint64_t hash) const noexcept {
    return buckets_[hash & (header_->buckets - 1)];
}

bool Index::hasRecord(const IndexEntry& entry) const noexcept {
    return entry.newest != kNoOffset && entry.newest >= header_->tail.load(std::memory_order_relaxed);
}

bool Index::isListenedTo(uint32_t number) const noexcept {
    return number < header_->used && hasListener(entries_[number]);
}

bool Index::isInUse(uint32_t number) const noexcept {
    return hasRecord(entries_[number]) || isListenedTo(number);
}

uint32_t Index::announced(uint32_t entry) const noexcept {
    SSE_ASSERT(entry < header_->used);
    const bool valid = entries_[entry].census == header_->census.load(std::memory_order_relaxed);
    return valid ? entries_[entry].subscribers : 0;
}

uint32_t Index::subscribers(uint32_t entry) const noexcept {
    return std::max<uint32_t>(announced(entry), hasExclusiveListener(entries_[entry]) ? 1 : 0);
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
        entries_[entry].nextInList = kNotListed;
    } else if (entry = takeUnused(); entry != kNoEntry) {
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
    const bool hadRecords = hasRecord(entry);

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

// A new entry is in no list yet, and not counted.
void Index::onAbandoned(uint32_t number) noexcept {
    if (number < header_->used && !hasListener(entries_[number]) && !isListed(number)) {
        addLast(header_->empty, number);
    }
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
    const bool isSilent = !hasListener(entry);
    if (isSilent && header_->silent.last != record.entry) {
        unlist(record.entry);
    }
    entry.newest = offset;
    faultPoint("onPublished: offset");
    if (isEvent) {
        entry.newestId = record.id;
        faultPoint("onPublished: id");
    }
    if (isSilent && header_->silent.last != record.entry) {
        list(record.entry);
    }
}

void Index::onEvicted(uint64_t offset, const RecordHeader& record) noexcept {
    if (record.entry < header_->used && entries_[record.entry].newest == offset && isListed(record.entry)) {
        remove(record.entry);
        addEmpty(record.entry);
    }
}

void Index::loseRecords(uint32_t number) noexcept {
    SSE_ASSERT(number < header_->used);
    const bool isKept = isListed(number) && hasRecord(entries_[number]);
    entries_[number].newest = kNoOffset;
    if (isKept) {
        remove(number);
        addEmpty(number);
    }
}

void Index::addListener(uint32_t number, uint32_t listenerId) noexcept {
    SSE_ASSERT(number < header_->used && listenerId < kMaxListeners);
    IndexEntry& entry = entries_[number];
    if (!hasListener(entry)) {
        unlist(number);
        entry.census = header_->census.load(std::memory_order_relaxed);
    }
    faultPoint("listener: not listed");
    entry.listeners[listenerId / 64] |= setOf(listenerId)[listenerId / 64];
    faultPoint("listener: added");
}

void Index::removeListeners(uint32_t number, const ListenerSet& ids) noexcept {
    SSE_ASSERT(number < header_->used);
    IndexEntry& entry = entries_[number];
    if (!hasListener(entry)) {
        return;
    }
    for (size_t i = 0; i < ids.size(); ++i) {
        entry.listeners[i] &= ~ids[i];
        faultPoint("listeners: removed");
    }
    if (!hasListener(entry)) {
        entry.subscribers = 0;
        list(number);
    }
}

// --- Lists ---

bool Index::isListed(uint32_t number) const noexcept {
    return entries_[number].nextInList != kNotListed;
}

void Index::addLast(EntryList& list, uint32_t number) const noexcept {
    entries_[number].census = list.last;
    entries_[number].nextInList = kNoEntry;
    faultPoint("list: last");
    (list.last == kNoEntry ? list.first : entries_[list.last].nextInList) = number;
    faultPoint("list: linked");
    list.last = number;
    faultPoint("list: done");
}

void Index::addFirst(EntryList& list, uint32_t number) const noexcept {
    SSE_ASSERT(list.first != kNoEntry);
    entries_[number].census = kNoEntry;
    entries_[number].nextInList = list.first;
    faultPoint("list: first");
    entries_[list.first].census = number;
    faultPoint("list: linked");
    list.first = number;
    faultPoint("list: done");
}

void Index::remove(uint32_t number) noexcept {
    IndexEntry& entry = entries_[number];
    const uint32_t before = entry.census;
    const uint32_t after = entry.nextInList;
    EntryList& list =
        number == header_->empty.first || number == header_->empty.last ? header_->empty : header_->silent;
    SSE_ASSERT((before == kNoEntry) == (list.first == number) &&
               (after == kNoEntry) == (list.last == number));
    (before == kNoEntry ? list.first : entries_[before].nextInList) = after;
    faultPoint("list: passed over");
    (after == kNoEntry ? list.last : entries_[after].census) = before;
    faultPoint("list: out");
    entry.nextInList = kNotListed;
    faultPoint("list: not listed");
}

// Appends all entries of another list.
void Index::append(EntryList& list, const EntryList& other) const noexcept {
    if (other.first == kNoEntry) {
        return;
    }
    entries_[other.first].census = list.last;
    (list.last == kNoEntry ? list.first : entries_[list.last].nextInList) = other.first;
    list.last = other.last;
}

// A channel whose last listener has left may have been silent for longer than all others. If not, it is
// placed as if it had just been published to: the listener may soon come back.
void Index::addSilent(uint32_t number) noexcept {
    EntryList& list = header_->silent;
    const bool isOldest = list.first != kNoEntry && entries_[number].newest < entries_[list.first].newest;
    isOldest ? addFirst(list, number) : addLast(list, number);
}

// Nobody listens to it.
void Index::list(uint32_t number) noexcept {
    SSE_ASSERT(number < header_->used && !isListed(number));
    hasRecord(entries_[number]) ? addSilent(number) : addEmpty(number);
}

void Index::addEmpty(uint32_t number) noexcept {
    add(header_->inUse, UINT32_MAX);
    faultPoint("list: counted");
    addLast(header_->empty, number);
}

// Somebody is about to publish to it or listen to it. A new entry is in no list, and is counted as if it had
// been in the list of empty ones.
void Index::unlist(uint32_t number) noexcept {
    if (!hasRecord(entries_[number])) {
        add(header_->inUse, 1);
        faultPoint("unlist: counted");
    }
    if (isListed(number)) {
        remove(number);
    }
}

// The channel without listeners that has no record, or that has been silent for longest.
uint32_t Index::takeUnused() noexcept {
    for (EntryList* list : {&header_->empty, &header_->silent}) {
        const uint32_t entry = list->first;
        if (entry != kNoEntry) {
            SSE_ASSERT(entry < header_->used);
            if (hasRecord(entries_[entry])) {
                add(header_->inUse, UINT32_MAX);
                faultPoint("take: counted");
            }
            remove(entry);
            return entry;
        }
    }
    return kNoEntry;
}

void Index::rebuild() noexcept {
    std::fill_n(buckets_, header_->buckets, kNoEntry);
    header_->empty = {};
    header_->silent = {};
    header_->inUse.store(header_->used, std::memory_order_relaxed);
    faultPoint("rebuild: empty");

    // Entries that a dead writer has left without a channel come first, so that no other channel is forgotten
    // for lack of them.
    for (uint32_t number = 0; number < header_->used; ++number) {
        IndexEntry& entry = entries_[number];
        entry.nextInList = kNotListed;
        if (entry.nextInBucket == kNotLinked) {
            entry.newest = kNoOffset;
            entry.newestId = {};
            entry.listeners = {};
            entry.subscribers = 0;
            list(number);
        }
        faultPoint("rebuild: freed");
    }
    for (uint32_t number = 0; number < header_->used; ++number) {
        IndexEntry& entry = entries_[number];
        if (entry.nextInBucket == kNotLinked) {
            continue;
        }
        entry.nextInBucket = bucket(entry.hash);
        bucket(entry.hash) = number;
        faultPoint("rebuild: linked");
        if (!hasListener(entry)) {
            entry.subscribers = 0;
            if (!hasRecord(entry)) {
                list(number);
            }
        }
    }
    listSilent();
}

// Sorts them by the part of the log that their newest record is in.
void Index::listSilent() noexcept {
    constexpr uint64_t kParts = 64;
    EntryList parts[kParts];
    const uint64_t tail = header_->tail.load(std::memory_order_relaxed);
    const uint64_t length = header_->head.load(std::memory_order_relaxed) - tail;
    for (uint32_t number = 0; number < header_->used; ++number) {
        const IndexEntry& entry = entries_[number];
        if (!hasListener(entry) && hasRecord(entry)) {
            addLast(parts[std::min((entry.newest - tail) / (length / kParts + 1), kParts - 1)], number);
        }
    }
    for (const EntryList& part : parts) {
        append(header_->silent, part);
    }
}

} // namespace sse
