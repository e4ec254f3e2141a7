// The checker of a zone: walks the log, the chains, the buckets and the lists, and compares them with each
// other.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "test_log.hpp"

namespace sse {

inline bool listenedTo(const IndexEntry& entry) {
    return (entry.listeners[0] | entry.listeners[1]) != 0;
}

// Records: in order, numbered without a hole if there is none, and linked both ways with their neighbours of
// the same channel.
inline void checkRecords(const TestLog& zone, const std::vector<LoggedEvent>& events, bool holes) {
    const LogHeader& header = zone.header();
    std::map<uint64_t, RecordHeader> byOffset;
    const LoggedEvent* before = nullptr;

    assert_true(header.tail <= header.head && header.head - header.tail <= header.capacity);
    for (const LoggedEvent& event : events) {
        const RecordHeader& record = event.header;
        byOffset[event.offset] = record;
        assert_true(record.previousId < record.id);
        if (before != nullptr) {
            assert_true(record.id > before->header.id);
            assert_true(holes ? record.number > before->header.number
                              : record.number == before->header.number + 1);
        }
        if (record.previous != kNoOffset && record.previous >= header.tail) {
            const auto previous = byOffset.find(record.previous);
            assert_true(previous != byOffset.end());
            assert_true(newestEvent(previous->second) == record.previousId);
            assert_true(previous->second.hash == record.hash);
            assert_true(previous->second.next == event.offset);
        }
        before = &event;
    }
    for (const LoggedEvent& event : events) {
        if (event.header.next != kNoOffset) {
            assert_true(event.header.next > event.offset);
            const auto next = byOffset.find(event.header.next);
            assert_true(next != byOffset.end()); // also: not at or behind the head
            assert_true(next->second.previous == event.offset);
        }
    }
    if (!events.empty()) {
        assert_true(holes || events.back().header.number + 1 == header.published);
        assert_true(zone.log.stats().evicted == events.front().header.number);
        assert_true(zone.log.stats().firstId == events.front().header.id);
    } else {
        assert_true(zone.log.stats().evicted == header.published);
    }
}

// Breaks: the newest record has the newest id, and the newest break is known, be it in the ring or not.
inline void checkBreaks(const TestLog& zone, bool holes) {
    const std::vector<LoggedEvent> records = walkRecords(zone.log);
    const Break newest = zone.log.newestBreak();
    EventId last{};
    uint64_t offset = kNoOffset;
    for (const LoggedEvent& record : records) {
        assert_true(record.header.id >= last);
        last = record.header.id;
        if (record.header.kind == RecordKind::Break) {
            assert_true(record.header.nameLength == 0 && record.header.payloadLength == 0);
            assert_true(record.header.entry == kNoEntry);
            offset = record.offset;
            assert_true(record.header.id <= newest.id);
        }
    }
    assert_true(holes || records.empty() || last == zone.log.lastId());
    assert_true(newest.id <= zone.log.lastId());
    assert_true(offset != kNoOffset ? newest.offset == offset
                                    : newest.id == EventId{} || newest.offset <= zone.header().tail);
}

// Chains: each record has its place after its predecessor, and its jump leads over as many records as it
// says, whose least time it has. A jump that is as long as the one after it is followed by one that is
// longer.
inline void checkChains(const TestLog& zone, const std::vector<LoggedEvent>& events) {
    struct Link {
        LoggedEvent event;
        size_t depth;
        std::shared_ptr<std::vector<uint64_t>> chain; // offsets
    };
    std::map<uint64_t, Link> links;
    for (const LoggedEvent& event : events) {
        const RecordHeader& record = event.header;
        const auto previous = links.find(record.previous);
        const bool begins = previous == links.end();
        const auto chain = begins ? std::make_shared<std::vector<uint64_t>>() : previous->second.chain;
        const size_t depth = chain->size();
        chain->push_back(event.offset);
        links[event.offset] = {event, depth, chain};
        if (begins) {
            assert_true(record.previous != kNoOffset || record.jump == kNoOffset);
            assert_true(record.jump == kNoOffset || record.jump <= record.previous);
            continue;
        }
        const RecordHeader& before = previous->second.event.header;
        assert_true(record.place == before.place + countEvents(before));
        const bool isSame =
            nameOf(zone.log, event.offset, record) == nameOf(zone.log, previous->second.event.offset, before);
        const bool isShared = (before.flags & kSharedChain) != 0 || !isSame;
        assert_true(isShared == ((record.flags & kSharedChain) != 0));
        if (record.jump < zone.header().tail) {
            continue;
        }
        const size_t length = (size_t{1} << record.jumpLevel) - 1;
        assert_true(record.jumpLevel != 0 && length <= depth && (*chain)[depth - length] == record.jump);
        uint64_t least = record.time;
        for (size_t skipped = depth - length + 1; skipped < depth; ++skipped) {
            least = std::min(least, links[(*chain)[skipped]].event.header.time);
        }
        assert_true(record.leastTime == least);
    }
}

// Entries: each in its bucket, and its newest record is the last of its chain. A chain that no entry knows
// has been forgotten, and that is remembered.
inline void checkEntries(const TestLog& zone, const std::vector<LoggedEvent>& events) {
    const LogHeader& header = zone.header();
    const IndexEntry* entries = zone.entries();
    std::vector<bool> linked(header.used);
    std::map<uint64_t, uint32_t> byNewest;
    const EventId forgotten = header.forgottenId.load();

    assert_true(header.used <= header.channels);
    assert_true(forgotten <= zone.log.lastId());
    for (uint32_t bucket = 0; bucket < header.buckets; ++bucket) {
        for (uint32_t e = zone.buckets()[bucket]; e != kNoEntry; e = entries[e].nextInBucket) {
            assert_true(e < header.used);
            assert_false(linked[e]);
            linked[e] = true;
            assert_int_equal(entries[e].hash & (header.buckets - 1), bucket);
            for (uint32_t other = entries[e].nextInBucket; other != kNoEntry;
                 other = entries[other].nextInBucket) {
                assert_true(entries[other].hash != entries[e].hash);
            }
        }
    }
    for (uint32_t e = 0; e < header.used; ++e) {
        assert_true(linked[e] == (entries[e].nextInBucket != kNotLinked));
        assert_true(entries[e].newestId <= zone.log.lastId());
        if (entries[e].newest != kNoOffset && entries[e].newest >= header.tail) {
            byNewest[entries[e].newest] = e;
        }
    }
    for (const LoggedEvent& event : events) {
        const auto newest = byNewest.find(event.offset);
        if (newest != byNewest.end()) {
            const IndexEntry& entry = entries[newest->second];
            assert_true(event.header.next == kNoOffset);
            assert_true(event.header.entry == newest->second);
            assert_true(event.header.hash == entry.hash);
            assert_true(newestEvent(event.header) == entry.newestId);
            byNewest.erase(newest);
        } else if (event.header.next == kNoOffset) {
            assert_true(newestEvent(event.header) <= forgotten);
        }
    }
    assert_true(byNewest.empty()); // each names a record that is there
}

// The entries of a list; each knows the one before it.
inline std::vector<uint32_t> listed(const TestLog& zone, const EntryList& list) {
    std::vector<uint32_t> numbers;
    uint32_t before = kNoEntry;
    for (uint32_t e = list.first; e != kNoEntry; e = zone.entries()[e].nextInList) {
        assert_true(e < zone.header().used && numbers.size() < zone.header().used);
        assert_int_equal(zone.entries()[e].census, before);
        assert_int_equal(zone.entries()[e].subscribers, 0);
        numbers.push_back(before = e);
    }
    assert_int_equal(list.last, before);
    return numbers;
}

// Every entry that nobody listens to is in one list, with a record or without; the counter counts all others
// than those without.
inline void checkLists(const TestLog& zone) {
    const LogHeader& header = zone.header();
    const std::vector<uint32_t> empty = listed(zone, header.empty);
    const std::vector<uint32_t> silent = listed(zone, header.silent);
    std::vector<int> lists(header.used);
    const auto visit = [&](const std::vector<uint32_t>& numbers, bool hasRecord) {
        for (const uint32_t number : numbers) {
            const IndexEntry& entry = zone.entries()[number];
            ++lists[number];
            assert_true(hasRecord == (entry.newest != kNoOffset && entry.newest >= header.tail));
        }
    };
    visit(empty, false);
    visit(silent, true);
    for (uint32_t e = 0; e < header.used; ++e) {
        assert_int_equal(lists[e], listenedTo(zone.entries()[e]) ? 0 : 1);
        assert_true((lists[e] == 0) == (zone.entries()[e].nextInList == kNotListed));
    }
    assert_int_equal(header.used - empty.size(), header.inUse);
}

// Checks everything that has to hold in a zone between two calls of writers. Stops the test if something does
// not. `holes`: it has taken over from a log with events that were too large for it.
inline void checkZone(const TestLog& zone, bool holes = false) {
    assert_int_equal(zone.header().dirty, 0);
    assert_true(zone.header().pendingLink == kNoOffset);
    assert_true(zone.header().indexedUpTo == zone.header().head);
    const std::vector<LoggedEvent> events = walk(zone.log);
    checkRecords(zone, events, holes);
    checkBreaks(zone, holes);
    checkChains(zone, events);
    checkEntries(zone, events);
    checkLists(zone);
}

} // namespace sse
