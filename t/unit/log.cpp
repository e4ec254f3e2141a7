// The log: layout, appending, reading, eviction, limits.
#include <deque>

#include "check.hpp"
#include "cmocka.hpp"

using namespace sse;

namespace {

void laysOut(void**) {
    const uint32_t channels = 10;
    const size_t size = Log::overhead(channels, Log::kMinCapacity) + Log::kMinCapacity;
    std::vector<uint64_t> words(size / 8 + 2);
    const std::span<std::byte> memory = std::as_writable_bytes(std::span(words));
    const SipKey key{1, 2};

    assert_false(Log::create(memory.first(size - 1), channels, key, kLineage, kBirth).has_value());
    assert_false(Log::create(memory.subspan(4), channels, key, kLineage, kBirth).has_value());
    assert_false(Log::create(memory, 0, key, kLineage, kBirth).has_value());
    assert_false(Log::create(memory, channels, key, 0, kBirth).has_value());
    assert_false(Log::create(memory, channels, key, kLineages, kBirth).has_value());
    assert_false(Log::attach(memory).has_value());

    const auto made = Log::create(memory, channels, key, kLineage, kBirth);
    assert_true(made.has_value());
    assert_true(made->capacity() >= Log::kMinCapacity);
    assert_true(made->maxRecord() == made->capacity() / 4 / 8 * 8);
    assert_true(made->lastId() == kBorn);
    assert_true(made->head() == made->tail());

    const auto attached = Log::attach(memory);
    assert_true(attached.has_value());
    assert_true(attached->hash("name") == sipHash(key, "name"));
    assert_false(Log::attach(memory.first(size - 8)).has_value());
    assert_false(Log::attach(memory.first(16)).has_value());
    words[0] ^= 1 << 16; // another version
    assert_false(Log::attach(memory).has_value());
}

void recognises(void**) {
    TestLog zone{10};
    const std::span<std::byte> memory = zone.memory();
    const uint64_t magic = zone.header().magic;
    assert_true(Log::recognise(memory) == Log::Found::Ours);

    // Another layout, or one that is spoilt.
    for (const int bit : {0, 8, 16, 23}) {
        zone.header().magic = magic ^ uint64_t { 1 } << bit;
        assert_true(Log::recognise(memory) == Log::Found::OtherLayout);
    }
    zone.header().magic = magic;
    assert_true(Log::recognise(memory.first(memory.size() - 8)) == Log::Found::OtherLayout);
    assert_true(Log::recognise(memory.first(8)) == Log::Found::OtherLayout);
    zone.header().capacity += 8;
    assert_true(Log::recognise(memory) == Log::Found::OtherLayout);
    zone.header().capacity -= 8;

    // Something else, or nothing.
    for (const int bit : {24, 40, 63}) {
        zone.header().magic = magic ^ uint64_t { 1 } << bit;
        assert_true(Log::recognise(memory) == Log::Found::Foreign);
    }
    zone.header().magic = 0;
    assert_true(Log::recognise(memory) == Log::Found::Foreign);
    zone.header().magic = magic;
    assert_true(Log::recognise(memory.first(7)) == Log::Found::Foreign);
    assert_true(Log::recognise({}) == Log::Found::Foreign);
    assert_true(Log::recognise(memory) == Log::Found::Ours);
}

void appendsAndReads(void**) {
    TestLog zone{8};
    RecordHeader record;
    assert_int_equal(static_cast<int>(zone.log.readHeader(0, record)), static_cast<int>(ReadStatus::End));

    const Appended first = append(zone.log, "news", "one");
    const Appended second = append(zone.log, "sport", "two", kBirth + 5, "own~id");
    assert_true(first.id == idOf(kBirth, 1));
    assert_true(second.id == idOf(kBirth + 5, 0));

    assert_int_equal(static_cast<int>(zone.log.readHeader(0, record)), static_cast<int>(ReadStatus::Ok));
    assert_true(record.id == first.id && record.time == kBirth && record.number == 0);
    assert_true(record.previousId == kBorn && record.previous == kNoOffset);
    assert_true(zone.log.isNamed(0, record, "news"));
    assert_false(zone.log.isNamed(0, record, "new"));
    assert_false(zone.log.isNamed(0, record, "newt"));
    assert_string_equal(payloadOf(zone.log, 0, record).c_str(), rendered(first.id, "one").c_str());
    assert_int_equal(record.idLineLength, 4 + idText(first.id).size() + 1);

    const uint64_t offset = record.length;
    assert_int_equal(static_cast<int>(zone.log.readHeader(offset, record)), static_cast<int>(ReadStatus::Ok));
    assert_string_equal(payloadOf(zone.log, offset, record).c_str(),
                        ("id: " + idText(second.id) + "~own~id\ndata: two\n\n").c_str());
    assert_string_equal(text(zone.log, offset, record.nameLength, record.idLineLength).c_str(),
                        ("id: " + idText(second.id) + "~own~id\n").c_str());
    assert_int_equal(static_cast<int>(zone.log.readHeader(offset + record.length, record)),
                     static_cast<int>(ReadStatus::End));
    checkZone(zone);
}

// The channel's last event and its end are one record.
void endsWithAnEvent(void**) {
    TestLog zone{8};
    const uint64_t hash = zone.log.hash("c");
    const auto ended = [&](LogWriter& log) { return log.hasEnded(log.findChannel(hash), "c"); };
    append(zone.log, "c", "one");
    assert_false(ended(zone.log));
    const uint64_t offset = zone.log.head();
    const Appended last = zone.log.append(
        {.channel = "c", .hash = hash, .publisherId = "own", .end = true, .fields = "data: two\n\n"}, kBirth);
    RecordHeader record;
    assert_true(zone.log.readHeader(offset, record) == ReadStatus::Ok);
    assert_true(record.kind == RecordKind::Event && endsChannel(record));
    assert_true((record.flags & kHasPublisherId) != 0 && newestEvent(record) == last.id);
    assert_true(ended(zone.log) && zone.log.findChannel(hash).newestId == last.id);
    assert_true(zone.log.findPublisherId("c", hash, "own") == last.id);
    checkZone(zone);

    TestLog larger{8, 2 * zone.log.capacity()};
    takeOver(larger.log, zone.log);
    assert_true(ended(larger.log));
    append(larger.log, "c", "three");
    assert_false(ended(larger.log));
    checkZone(larger);
}

NewEvent draftEvent(const TestLog& zone, std::string_view fields) {
    return {.channel = "c", .hash = zone.log.hash("c"), .publisherId = {}, .fields = fields};
}

// Nobody sees one of them before all are there, and they come as others do.
void appendsSeveralTogether(void**) {
    TestLog zone{8};
    append(zone.log, "c", "before");
    zone.log.listen(zone.log.hash("c"), 3);
    for (int round = 0; round < 200; ++round) {
        const uint64_t head = zone.log.head();
        const size_t before = zone.log.stats().published;
        const std::string data = fields(std::string(1 + round * 17, 'x'));
        Draft draft = zone.log.begin(kBirth);
        for (int i = 0; i < 3; ++i) {
            assert_true(zone.log.add(draft, draftEvent(zone, data)) == AppendStatus::Ok);
            assert_true(zone.log.head() == head);
        }
        const Appended appended = zone.log.commit(draft);
        assert_true(appended.listeners == setOf(3) && appended.id == zone.log.lastId());
        assert_int_equal(zone.log.stats().published, before + 3);
        const std::vector<LoggedEvent> all = walk(zone.log);
        assert_true(all.size() >= 3 && all.back().header.id == appended.id);
        for (size_t i = all.size() - 2; i < all.size(); ++i) {
            assert_true(all[i].header.previous == all[i - 1].offset);
            assert_true(all[i - 1].header.next == all[i].offset);
            assert_true(all[i].header.previousId == all[i - 1].header.id);
        }
        checkZone(zone);
    }
}

// A quarter of the ring is the limit for all of them together; what was there remains.
void acceptsAllOrNone(void**) {
    TestLog zone{8};
    const Appended first = append(zone.log, "c", "before");
    const std::string large = fields(std::string(zone.log.maxRecord() / 2 - 300, 'x'));
    const uint64_t head = zone.log.head();
    Draft draft = zone.log.begin(kBirth);
    assert_true(zone.log.add(draft, draftEvent(zone, large)) == AppendStatus::Ok);
    assert_true(zone.log.add(draft, draftEvent(zone, large)) == AppendStatus::Ok);
    assert_true(zone.log.add(draft, draftEvent(zone, large)) == AppendStatus::TooLarge);
    zone.log.abandon(draft);
    assert_true(zone.log.head() == head && zone.log.lastId() == first.id);
    checkZone(zone);
    assert_true(append(zone.log, "c", "after").status == AppendStatus::Ok);
    assert_string_equal(dataOf(zone.log, walk(zone.log).back().offset, walk(zone.log).back().header).c_str(),
                        "after");
    checkZone(zone);
}

void idsGrowWhateverTheClockDoes(void**) {
    TestLog zone{8};
    const uint64_t clocks[] = {kBirth, kBirth + 10, kBirth + 10, kBirth - 5000, 0, kBirth + 10, kBirth + 11};
    const EventId ids[] = {idOf(kBirth, 1),      idOf(kBirth + 10, 0), idOf(kBirth + 10, 1),
                           idOf(kBirth + 10, 2), idOf(kBirth + 10, 3), idOf(kBirth + 10, 4),
                           idOf(kBirth + 11, 0)};
    for (size_t i = 0; i < std::size(clocks); ++i) {
        assert_true(append(zone.log, "c", "x", clocks[i]).id == ids[i]);
    }
    // The time of an event is what the clock said.
    assert_true(walk(zone.log)[4].header.time == 0);
    checkZone(zone);
}

void takesGivenIds(void**) {
    TestLog zone{8};
    const EventId far{kBirth + 1000, kLineage};
    assert_true(appendWithId(zone.log, "c", "1", far, 5) == AppendStatus::Ok);
    assert_true(zone.log.lastId() == far && zone.log.stats().lastId == far);
    assert_true(walk(zone.log)[0].header.time == 5);
    assert_string_equal(payloadOf(zone.log, 0, walk(zone.log)[0].header).c_str(), rendered(far, "1").c_str());

    // Old ones, those of another life, and a moment, which is no event's.
    const uint64_t head = zone.log.head();
    for (const EventId id : {far, kBorn, EventId{far.milliseconds, 0}, EventId{far.milliseconds + 1, 0},
                             EventId{far.milliseconds + 1, kOtherLineage}}) {
        assert_true(appendWithId(zone.log, "c", "2", id) == AppendStatus::OldId);
    }
    assert_true(zone.log.head() == head && zone.log.lastId() == far);
    checkZone(zone);

    // The log's own go on from there.
    assert_true(append(zone.log, "d", "2").id == later(far, 1));
    assert_true(appendWithId(zone.log, "c", "3", later(far, 2)) == AppendStatus::Ok);
    checkZone(zone);

    // Several together: each newer than the one before.
    const NewEvent event = draftEvent(zone, "data: x\n\n");
    Draft draft = zone.log.begin(kBirth);
    const auto add = [&](EventId id) {
        NewEvent next = event;
        next.id = id;
        return zone.log.add(draft, next);
    };
    assert_true(add(later(far, 3)) == AppendStatus::Ok);
    assert_true(add(later(far, 3)) == AppendStatus::OldId);
    assert_true(add(later(far, 9)) == AppendStatus::Ok);
    assert_true(zone.log.commit(draft).id == later(far, 9));
    checkZone(zone);

    zone.log.retire();
    assert_true(appendWithId(zone.log, "c", "4", later(far, 10)) == AppendStatus::Retired);
    assert_true(zone.log.appendBreak(later(far, 10)) == AppendStatus::Retired);
    assert_false(zone.log.beginLife(kOtherLineage));
    assert_true(zone.log.lineage() == kLineage);
}

// A log whose ids all come from elsewhere, and may be as small as they like.
void beginsAtTheBeginning(void**) {
    TestLog zone{8, Log::kMinCapacity, 0};
    const EventId born{0, kLineage};
    assert_true(zone.log.lastId() == born && zone.log.lineage() == kLineage);
    assert_false(zone.log.holds("c", zone.log.hash("c"), born));
    assert_true(zone.log.appendBreak(born) == AppendStatus::Ok);
    assert_true(appendWithId(zone.log, "c", "1", born) == AppendStatus::OldId);
    assert_true(appendWithId(zone.log, "c", "1", later(born, 1)) == AppendStatus::Ok);
    assert_true(appendWithId(zone.log, "c", "2", idOf(1, 0)) == AppendStatus::Ok);
    assert_true(zone.log.holds("c", zone.log.hash("c"), later(born, 1)));
    checkZone(zone);
}

// Two servers may give the same id to different events.
void tellsEventsOfOneIdApart(void**) {
    TestLog zone{8};
    const uint64_t hash = zone.log.hash("c");
    const std::string text = "data: " + std::string(3000, 'x') + "\n\n";
    for (const std::string_view publisherId : {"", "theirs"}) {
        NewEvent event = draftEvent(zone, text);
        event.channel = "c";
        event.hash = hash;
        event.publisherId = publisherId;
        const EventId id = zone.log.append(event, kBirth).id;
        assert_true(zone.log.holds("c", hash, id, text));
        std::string other = text;
        other[2500] = 'y';
        assert_false(zone.log.holds("c", hash, id, other));
        assert_false(zone.log.holds("c", hash, id, text.substr(0, text.size() - 1)));
        assert_false(zone.log.holds("c", hash, id, text + "\n"));
        assert_false(zone.log.holds("c", hash, later(id, 1), text));
        assert_false(zone.log.holds("d", zone.log.hash("d"), id, text));
    }
}

// A break is no event, whatever counts or looks for events.
void breaksAreNoEvents(void**) {
    TestLog zone{8};
    assert_true(zone.log.newestBreak().id == EventId{});
    assert_true(zone.log.appendBreak(kBorn) == AppendStatus::Ok); // nothing need have come in between
    assert_true(zone.log.stats().published == 0 && zone.log.stats().firstId == EventId{});
    checkZone(zone);
    const EventId first = append(zone.log, "c", "1").id;
    const uint64_t offset = zone.log.head();
    const EventId broken = idOf(kBirth + 5, 0);
    assert_true(zone.log.appendBreak(broken) == AppendStatus::Ok);
    assert_true(zone.log.newestBreak().id == broken && zone.log.newestBreak().offset == offset);
    assert_true(zone.log.lastId() == broken);
    for (const EventId id : {first, EventId{kBirth + 6, 0}, EventId{kBirth + 6, kOtherLineage}}) {
        assert_true(zone.log.appendBreak(id) == AppendStatus::OldId);
    }
    RecordHeader record;
    assert_true(zone.log.readHeader(offset, record) == ReadStatus::Ok);
    assert_true(record.kind == RecordKind::Break && record.length == sizeof(record));
    assert_true(record.id == broken && record.entry == kNoEntry && record.number == 1);
    assert_false(zone.log.isNamed(offset, record, "c"));

    const ChannelState state = zone.log.findChannel(zone.log.hash("c"));
    assert_true(state.newestId == first && zone.log.hasEvent(state) && zone.log.stats().channels == 1);
    assert_true(append(zone.log, "c", "2").id == later(broken, 1));
    const std::vector<LoggedEvent> events = walk(zone.log);
    assert_true(events.size() == 2 && events[1].header.number == 1);
    assert_true(events[1].header.previousId == first && events[0].header.next == events[1].offset);
    assert_true(zone.log.stats().published == 2 && zone.log.stats().firstId == first);
    checkZone(zone);

    // The oldest record may be one, and so may many that follow.
    for (int i = 0; i < 100; ++i) {
        assert_true(zone.log.appendBreak(zone.log.lastId()) == AppendStatus::Ok);
    }
    const uint64_t head = zone.log.head();
    bool isBreakOldest = false;
    for (uint64_t count = 3; zone.log.tail() < head; ++count) {
        append(zone.log, "d", std::string(600, 'x'));
        zone.log.readHeader(zone.log.tail(), record);
        isBreakOldest = isBreakOldest || record.kind == RecordKind::Break;
        const LogStats stats = zone.log.stats();
        assert_int_equal(stats.published, count);
        assert_int_equal(stats.evicted, record.number);
    }
    assert_true(isBreakOldest);
    // The newest is known although it has gone.
    assert_true(zone.log.newestBreak().id == later(broken, 1));
    checkZone(zone);
}

// Everything is gone, whatever lay where; who listens stays.
void beginsAnotherLife(void**) {
    for (int events : {0, 1, 3, 1000}) {
        TestLog zone{4};
        zone.log.noteLoss();
        const ChannelState listened = zone.log.listen(zone.log.hash("c"), 3);
        zone.log.addSubscribers(listened.entry, 2);
        for (int i = 0; i < events; ++i) {
            append(zone.log, i % 3 == 0 ? "c" : "d", std::string(200, 'x'), kBirth + i, "own");
        }
        assert_true(zone.log.appendBreak(zone.log.lastId()) == AppendStatus::Ok);
        const uint64_t head = zone.log.head();
        const EventId last = zone.log.lastId();
        const uint64_t published = zone.log.stats().published;
        assert_false(zone.log.beginLife(0));
        assert_false(zone.log.beginLife(kLineages));
        assert_true(zone.log.head() == head && zone.log.lastId() == last);

        assert_true(zone.log.beginLife(kOtherLineage));
        const EventId born{0, kOtherLineage};
        assert_true(zone.log.lineage() == kOtherLineage && zone.log.lastId() == born);
        assert_true(zone.log.newestBreak().id == EventId{} && !zone.log.beganWithLoss());
        assert_true(walkRecords(zone.log).empty() && zone.log.stats().evicted == published);
        assert_true(zone.log.couldHaveIssued(idOf(1, 0)) == false && zone.log.couldHaveIssued(born));
        // Who had read all sees that it has not.
        RecordHeader record;
        assert_true(zone.log.tail() > head);
        assert_true(zone.log.readHeader(head, record) == ReadStatus::Lapped);
        assert_true(zone.log.readHeader(zone.log.head(), record) == ReadStatus::End);
        assert_false(zone.log.findPublisherId("c", zone.log.hash("c"), "own").has_value());
        for (const char* name : {"c", "d", "none"}) {
            const ChannelState state = zone.log.findChannel(zone.log.hash(name));
            assert_true(state.newest == kNoOffset && state.newestId == born);
        }
        checkZone(zone);

        assert_true(appendWithId(zone.log, "c", "1", idOf(kBirth, 0)) == AppendStatus::OldId);
        const Appended appended = zone.log.append({.channel = "c",
                                                   .hash = zone.log.hash("c"),
                                                   .publisherId = {},
                                                   .fields = "data: 1\n\n",
                                                   .id = later(born, 1)},
                                                  kBirth);
        assert_true(appended.status == AppendStatus::Ok && appended.id == later(born, 1));
        assert_true(appended.listeners == setOf(3) && appended.subscribers == 2);
        assert_true(walk(zone.log)[0].header.number == published);
        checkZone(zone);
    }
}

// Exactly those events of the channel that are in the ring, whatever lies in between.
void holdsEvents(void**) {
    TestLog zone{8};
    Random random{1};
    std::vector<std::pair<EventId, bool>> events; // and whether they are of channel "c"
    const uint64_t hash = 7;                      // of both channels
    for (int i = 0; i < 2000; ++i) {
        if (random.chance(3)) {
            zone.log.appendBreak(zone.log.lastId());
        } else if (random.chance(5)) {
            const Appended end = zone.log.append(
                {.channel = "c", .hash = hash, .publisherId = {}, .end = true, .fields = {}}, kBirth + i);
            events.emplace_back(end.id, false);
        } else {
            const bool isOwn = random.chance(60);
            events.emplace_back(append(zone.log, isOwn ? "c" : "d", hash, "x", kBirth + i).id, isOwn);
        }
    }
    const uint64_t evicted = zone.log.stats().evicted;
    assert_true(evicted > 100 && evicted < events.size());
    for (uint64_t number = 0; number < events.size(); ++number) {
        const auto [id, isOwn] = events[number];
        assert_true(zone.log.holds("c", hash, id) == (isOwn && number >= evicted));
        assert_false(zone.log.holds("c", hash, {id.milliseconds, id.sequence + 1}));
        assert_false(zone.log.holds("c", hash, {id.milliseconds, 0}));
        assert_false(zone.log.holds("none", hash, id));
        assert_false(zone.log.holds("c", 8, id));
    }
    assert_false(zone.log.holds("c", hash, later(zone.log.lastId(), 1)));
}

void refusesTheTooLarge(void**) {
    TestLog zone{8};
    append(zone.log, "c", "x");
    const uint64_t head = zone.log.head();
    const size_t around = sizeof(RecordHeader) + 1 + rendered(idOf(kBirth, 2), "").size();
    const std::string largest(zone.log.maxRecord() - around, 'x');

    assert_true(append(zone.log, "c", largest + "y").status == AppendStatus::TooLarge);
    assert_true(append(zone.log, "c", "x", kBirth, std::string(70000, 'i')).status == AppendStatus::TooLarge);
    assert_true(append(zone.log, std::string(256, 'n'), "x").status == AppendStatus::TooLarge);
    assert_true(zone.log.head() == head);
    checkZone(zone);

    assert_true(append(zone.log, "c", largest).status == AppendStatus::Ok);
    assert_true(append(zone.log, std::string(255, 'n'), "").status == AppendStatus::Ok);
    assert_true(walk(zone.log)[1].header.length >= zone.log.maxRecord());
    for (int i = 0; i < 20; ++i) { // whatever lies in the ring, the largest fits
        assert_true(append(zone.log, "c", largest.substr(i)).status == AppendStatus::Ok);
        checkZone(zone);
    }
}

// What fits can be appended, whatever its id; and what does not is larger than the largest but for an id.
void saysWhatFits(void**) {
    TestLog zone{8};
    for (const std::string& own : {std::string(), std::string("theirs"), std::string(4000, 'i')}) {
        bool fitted = true;
        for (size_t size = zone.log.maxRecord() - 5000; size < zone.log.maxRecord(); ++size) {
            const bool fits = zone.log.fits("c", own.size(), fields("").size() + size);
            assert_true(fitted || !fits);
            if (fitted != fits) {
                const std::string data(size - 1, 'x');
                assert_true(append(zone.log, "c", data, UINT64_MAX - 1, own).status == AppendStatus::Ok);
                assert_true(
                    append(zone.log, "c", data + std::string(kMaxEventIdText + 16, 'x'), 0, own).status ==
                    AppendStatus::TooLarge);
            }
            fitted = fits;
        }
        assert_false(fitted);
    }
    assert_true(zone.log.fits(std::string(255, 'n'), 0, 0));
    assert_false(zone.log.fits(std::string(256, 'n'), 0, 0));
    TestLog large{8, 1024 * 1024};
    assert_false(large.log.fits("c", 65536, 0)); // its id line would be too long
}

// Every length of a record at every distance from the end of the ring, so that each way to fill the end is
// met.
void fillsTheEndOfTheRing(void**) {
    TestLog zone{8};
    Random random{1};
    std::deque<std::string> model;
    bool padded = false;
    bool stretched = false;

    for (int i = 0; i < 20000; ++i) {
        const std::string data(random.below(random.chance(1) ? 12000 : 300), 'a' + i % 26);
        const Appended appended = append(zone.log, "c", data);
        model.push_back(rendered(appended.id, data));
        if (i % 500 != 0) {
            continue;
        }
        checkZone(zone);
        const std::vector<LoggedEvent> events = walk(zone.log);
        model.erase(model.begin(), model.end() - events.size());
        uint64_t expected = zone.log.tail();
        for (size_t k = 0; k < events.size(); ++k) {
            const RecordHeader& record = events[k].header;
            padded = padded || events[k].offset != expected;
            expected = events[k].offset + record.length;
            const uint64_t need = sizeof(record) + record.nameLength + record.payloadLength;
            stretched = stretched || record.length >= need + 8;
            assert_string_equal(payloadOf(zone.log, events[k].offset, record).c_str(), model[k].c_str());
        }
        // No more is given up than the next record needs.
        const uint64_t room = zone.log.capacity() - zone.log.stats().used;
        assert_true(i == 0 || room < 2 * zone.log.maxRecord());
    }
    assert_true(padded && stretched);
    const LogStats stats = zone.log.stats();
    assert_int_equal(stats.published, 20000);
    assert_int_equal(stats.evicted, 20000 - walk(zone.log).size());
    assert_int_equal(stats.channels, 1);
}

void readersFallBehind(void**) {
    TestLog zone{8};
    append(zone.log, "c", std::string(3000, 'x'));
    RecordHeader first;
    assert_true(zone.log.readHeader(0, first) == ReadStatus::Ok);
    assert_true(zone.log.match(0, first, "c") == Match::Yes);
    assert_true(zone.log.match(0, first, "d") == Match::No);
    while (zone.log.tail() == 0) {
        append(zone.log, "c", std::string(1000, 'x'));
    }
    RecordHeader record;
    assert_true(zone.log.readHeader(0, record) == ReadStatus::Lapped);
    char bytes[8];
    assert_false(zone.log.readPayload(0, 0, 1, bytes));
    assert_false(zone.log.isNamed(0, first, "c"));
    // Whose it was cannot be told any more: who takes it for somebody else's misses an event in silence, for
    // the next record may still be whole.
    assert_true(zone.log.match(0, first, "c") == Match::Lapped);
    assert_true(zone.log.match(0, first, "d") == Match::Lapped);
    assert_true(zone.log.readHeader(first.length, record) == ReadStatus::Ok);
    // Nothing leads out of the ring.
    assert_false(zone.log.readPayload(zone.log.tail(), zone.log.capacity(), 1, bytes));
    assert_false(zone.log.readPayload(zone.log.tail(), SIZE_MAX, 8, bytes));
    assert_false(zone.log.readPayload(zone.log.tail(), 0, SIZE_MAX, bytes));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(laysOut),
        cmocka_unit_test(recognises),
        cmocka_unit_test(appendsAndReads),
        cmocka_unit_test(endsWithAnEvent),
        cmocka_unit_test(appendsSeveralTogether),
        cmocka_unit_test(acceptsAllOrNone),
        cmocka_unit_test(idsGrowWhateverTheClockDoes),
        cmocka_unit_test(takesGivenIds),
        cmocka_unit_test(beginsAtTheBeginning),
        cmocka_unit_test(tellsEventsOfOneIdApart),
        cmocka_unit_test(breaksAreNoEvents),
        cmocka_unit_test(beginsAnotherLife),
        cmocka_unit_test(holdsEvents),
        cmocka_unit_test(refusesTheTooLarge),
        cmocka_unit_test(saysWhatFits),
        cmocka_unit_test(fillsTheEndOfTheRing),
        cmocka_unit_test(readersFallBehind),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
