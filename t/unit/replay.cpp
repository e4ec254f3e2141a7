// Replay: order, cursors, gaps, history, being lapped.
#include "check.hpp"
#include "cmocka.hpp"

using namespace sse;

namespace {

struct Result {
    std::string text; // the data of the events that were given; "|": a break
    Gap gap;
    EventId start;
};

Result replay(LogWriter& log, std::span<ReplayChannel> channels, EventId cursor,
              const History& history = {}) {
    Replay replay{log, channels, cursor, log.lastId(), history};
    assert_true(replay.seek(UINT32_MAX) == ReadStatus::Ok);
    Result result{{}, replay.gap(), replay.start()};
    ReplayEvent event;
    ReadStatus status;
    while ((status = replay.next(UINT64_MAX, event)) == ReadStatus::Ok || replay.passBreak(UINT64_MAX)) {
        if (status == ReadStatus::End) {
            assert_true(replay.gap() == Gap::Lost && replay.start() >= log.newestBreak().id);
            assert_false(replay.missed().has_value());
            result.text += "|";
            continue;
        }
        assert_true(event.channel->name == nameOf(log, event.offset, event.header));
        result.text += event.header.kind == RecordKind::End ? "." : dataOf(log, event.offset, event.header);
    }
    assert_true(status == ReadStatus::End);
    return result;
}

Result replay(LogWriter& log, std::initializer_list<const char*> names, EventId cursor,
              const History& history = {}) {
    std::vector<ReplayChannel> channels;
    for (const char* name : names) {
        channels.push_back(channel(log, name));
    }
    return replay(log, channels, cursor, history);
}

void assertResult(const Result& result, const char* text, Gap gap, EventId start) {
    assert_string_equal(result.text.c_str(), text);
    assert_int_equal(static_cast<int>(result.gap), static_cast<int>(gap));
    assert_true(result.start == start);
}

void mergesChannels(void**) {
    TestLog zone{8};
    std::vector<EventId> ids;
    const char* const names[] = {"a", "b", "c", "a", "a", "b", "d", "c"};
    for (size_t i = 0; i < std::size(names); ++i) {
        ids.push_back(append(zone.log, names[i], std::to_string(i), kBirth + 1 + i / 2).id);
    }
    assertResult(replay(zone.log, {"a"}, Replay::kBeginning), "034", Gap::None, kBorn);
    assertResult(replay(zone.log, {"a", "b"}, Replay::kBeginning), "01345", Gap::None, kBorn);
    assertResult(replay(zone.log, {"b", "a", "c", "d"}, kBorn), "01234567", Gap::None, kBorn);
    assertResult(replay(zone.log, {"a", "b"}, ids[0]), "1345", Gap::None, ids[0]);
    assertResult(replay(zone.log, {"a", "b"}, ids[2]), "345", Gap::None, ids[2]);
    assertResult(replay(zone.log, {"c", "b"}, ids[7]), "", Gap::None, ids[7]);
    assertResult(replay(zone.log, {"a", "a"}, ids[0]), "34", Gap::None, ids[0]); // the same one twice
    assertResult(replay(zone.log, {"none", "d"}, ids[3]), "6", Gap::None, ids[3]);
    assertResult(replay(zone.log, std::initializer_list<const char*>{}, ids[3]), "", Gap::None, ids[3]);
}

void otherLives(void**) {
    TestLog zone{8};
    const EventId first = append(zone.log, "a", "1").id;
    const EventId newer = idOf(first.milliseconds, 2);
    assertResult(replay(zone.log, {"a"}, newer), "1", Gap::Unknown, kBorn);
    assertResult(replay(zone.log, {"none"}, newer), "", Gap::Unknown, kBorn);
    assertResult(replay(zone.log, {"a"}, {5, 0}), "1", Gap::Evicted, kBorn); // before the birth
    assertResult(replay(zone.log, {"none"}, {5, 0}), "", Gap::Evicted, kBorn);
    assertResult(replay(zone.log, {"none"}, Replay::kBeginning), "", Gap::None, kBorn);
}

// After an upgrade there are two logs for a while, and an id of the one may lie in the middle of the other.
void livesAtOnce(void**) {
    TestLog old{8};
    TestLog next{8, Log::kMinCapacity, kBirth + 1, kOtherLineage};
    append(next.log, "a", "1", kBirth + 2);
    const EventId seen = append(old.log, "a", "x", kBirth + 3).id;
    append(next.log, "a", "2", kBirth + 4);

    assertResult(replay(next.log, {"a"}, seen), "12", Gap::Unknown, {kBirth + 1, kOtherLineage});
    assertResult(replay(next.log, {"a"}, kBorn), "12", Gap::Unknown, {kBirth + 1, kOtherLineage});
    // The same the other way, also with what was told before there was any event.
    assertResult(replay(old.log, {"a"}, {kBirth + 1, kOtherLineage}), "x", Gap::Unknown, kBorn);
    assertResult(replay(old.log, {"a"}, {kBirth + 2, kOtherLineage}), "x", Gap::Unknown, kBorn);
    // A moment is good in any life.
    assertResult(replay(next.log, {"a"}, {kBirth + 3, 0}), "2", Gap::None, {kBirth + 3, 0});
}

void evictionIsAGap(void**) {
    TestLog zone{8};
    std::vector<EventId> rare;
    for (int i = 0; i < 3; ++i) {
        rare.push_back(append(zone.log, "rare", std::to_string(i)).id);
    }
    const uint64_t last = walk(zone.log)[2].offset;
    while (zone.log.tail() < last) {
        append(zone.log, "often", "x");
    }
    // Only the last one is left. Who has seen the one before it has missed nothing.
    assertResult(replay(zone.log, {"rare"}, kBorn), "2", Gap::Evicted, rare[1]);
    assertResult(replay(zone.log, {"rare"}, rare[0]), "2", Gap::Evicted, rare[1]);
    assertResult(replay(zone.log, {"rare"}, rare[1]), "2", Gap::None, rare[1]);
    assertResult(replay(zone.log, {"rare"}, Replay::kBeginning), "2", Gap::None, rare[1]);
    assertResult(replay(zone.log, {"rare", "none"}, rare[0]), "2", Gap::Evicted, rare[1]);
    while (zone.log.tail() == last) {
        append(zone.log, "often", "x");
    }
    assertResult(replay(zone.log, {"rare"}, rare[1]), "", Gap::Evicted, rare[2]);
    assertResult(replay(zone.log, {"rare"}, rare[2]), "", Gap::None, rare[2]);
    const EventId between{rare[2].milliseconds, rare[2].sequence + kLineages};
    assertResult(replay(zone.log, {"rare"}, between), "", Gap::None, between);
}

// What is left before a break comes before the gap, and whoever has been told is not told again.
void breaksAreGaps(void**) {
    TestLog zone{8};
    const EventId first = append(zone.log, "a", "1", kBirth + 1).id;
    const EventId second = append(zone.log, "b", "2", kBirth + 2).id;
    const EventId broken = idOf(kBirth + 5, 0);
    assert_true(zone.log.appendBreak(broken) == AppendStatus::Ok);
    const EventId justBefore{broken.milliseconds, 0};

    assertResult(replay(zone.log, {"a"}, kBorn), "1|", Gap::None, kBorn);
    assertResult(replay(zone.log, {"a"}, first), "", Gap::Lost, broken);
    assertResult(replay(zone.log, {"b"}, first), "2|", Gap::None, first);
    assertResult(replay(zone.log, {"none"}, second), "", Gap::Lost, broken);
    assertResult(replay(zone.log, {"a"}, justBefore), "", Gap::Lost, broken);
    assertResult(replay(zone.log, {"a", "b", "none"}, broken), "", Gap::None, broken);
    assertResult(replay(zone.log, std::initializer_list<const char*>{}, second), "", Gap::Lost, broken);

    // Who comes without a cursor has missed nothing, but what comes between its events.
    assertResult(replay(zone.log, {"a", "b"}, Replay::kBeginning), "12|", Gap::None, kBorn);
    assertResult(replay(zone.log, {"none"}, Replay::kBeginning), "", Gap::None, broken);

    const EventId third = append(zone.log, "a", "3", kBirth + 6).id;
    append(zone.log, "b", "4", kBirth + 7);
    assertResult(replay(zone.log, {"a", "b"}, kBorn), "12|34", Gap::None, kBorn);
    assertResult(replay(zone.log, {"a"}, first), "3", Gap::Lost, broken);
    assertResult(replay(zone.log, {"a", "b"}, second), "34", Gap::Lost, broken);
    assertResult(replay(zone.log, {"a", "b"}, broken), "34", Gap::None, broken);
    assertResult(replay(zone.log, {"a", "b"}, third), "4", Gap::None, third);
    assertResult(replay(zone.log, {"a"}, {kBirth + 1, kOtherLineage}), "1|3", Gap::Unknown, kBorn);
    assertResult(replay(zone.log, {"none"}, {kBirth + 1, kOtherLineage}), "", Gap::Unknown, broken);

    // The history may begin after the break, or before it.
    assertResult(replay(zone.log, {"a"}, kBorn, {.count = 1}), "3", Gap::Lost, broken);
    assertResult(replay(zone.log, {"a"}, kBorn, {.count = 0}), "", Gap::Lost, third);
    assertResult(replay(zone.log, {"a"}, Replay::kBeginning, {.count = 1}), "3", Gap::None, broken);
    assertResult(replay(zone.log, {"a", "b"}, kBorn, {.since = kBirth + 2}), "2|34", Gap::Evicted, first);
    checkZone(zone);

    // Of several the newest counts, and it still does when it has gone from the ring.
    const EventId again = idOf(kBirth + 9, 0);
    assert_true(zone.log.appendBreak(again) == AppendStatus::Ok);
    const EventId last = append(zone.log, "a", "5", kBirth + 10).id;
    assertResult(replay(zone.log, {"a"}, kBorn), "13|5", Gap::None, kBorn);
    assertResult(replay(zone.log, {"a"}, broken), "3|5", Gap::None, broken);
    for (const uint64_t head = zone.log.head(); zone.log.tail() < head;) {
        append(zone.log, "often", "x");
    }
    assertResult(replay(zone.log, {"a"}, kBorn), "", Gap::Lost, last);
    assertResult(replay(zone.log, {"none"}, broken), "", Gap::Lost, again);
    assertResult(replay(zone.log, {"none"}, again), "", Gap::None, again);
    checkZone(zone);
}

// The tip of a reader may not have come to the break yet, and its stock may be older.
void breaksComeInTime(void**) {
    TestLog zone{8};
    append(zone.log, "a", "1");
    ReplayChannel early[] = {channel(zone.log, "a")};
    const EventId then = zone.log.lastId();
    const uint64_t offset = zone.log.head();
    assert_true(zone.log.appendBreak(then) == AppendStatus::Ok);
    append(zone.log, "a", "2");
    ReplayEvent event;

    Replay before{zone.log, early, kBorn, then, {}};
    assert_true(before.seek(9) == ReadStatus::Ok && before.gap() == Gap::None);
    assert_true(before.next(UINT64_MAX, event) == ReadStatus::Ok);
    assert_true(before.next(UINT64_MAX, event) == ReadStatus::End && !before.passBreak(UINT64_MAX));

    ReplayChannel now[] = {channel(zone.log, "a")};
    Replay replay{zone.log, now, kBorn, zone.log.lastId(), {}};
    assert_false(replay.passBreak(UINT64_MAX)); // nothing has been sought
    assert_true(replay.seek(9) == ReadStatus::Ok && replay.gap() == Gap::None);
    assert_false(replay.passBreak(UINT64_MAX)); // nor read
    assert_true(replay.next(UINT64_MAX, event) == ReadStatus::Ok);
    assert_true(replay.next(offset, event) == ReadStatus::End && !replay.passBreak(offset));
    assert_true(replay.next(offset + 1, event) == ReadStatus::End && replay.passBreak(offset + 1));
    assert_true(replay.gap() == Gap::Lost && replay.start() == then);
    assert_false(replay.passBreak(UINT64_MAX));
    assert_true(replay.next(UINT64_MAX, event) == ReadStatus::Ok && event.header.number == 1);
    assert_true(replay.next(UINT64_MAX, event) == ReadStatus::End);
}

// An end may be all that is left before a break.
void endsBeforeABreak(void**) {
    TestLog zone{8};
    const EventId first = append(zone.log, "a", "1").id;
    const EventId second = append(zone.log, "a", "2").id;
    const uint64_t events = zone.log.head();
    append(zone.log, "often", std::string(zone.log.maxRecord() - 300, 'x'));
    endChannel(zone.log, "a");
    while (zone.log.tail() < events) {
        append(zone.log, "often", std::string(3000, 'x'));
    }
    const EventId broken = zone.log.lastId();
    assert_true(zone.log.appendBreak(broken) == AppendStatus::Ok);
    append(zone.log, "a", "3");
    assertResult(replay(zone.log, {"a"}, first), ".|3", Gap::Evicted, second);
    assertResult(replay(zone.log, {"a"}, second), "3", Gap::Lost, broken);
}

// Everything that was is unknown afterwards, and nothing that comes is missed.
void anotherLifeIsUnknown(void**) {
    TestLog zone{8};
    const EventId old = append(zone.log, "a", "1", kBirth + 1).id;
    assert_true(zone.log.appendBreak(old) == AppendStatus::Ok);
    ReplayChannel channels[] = {channel(zone.log, "a")};
    Replay going{zone.log, channels, kBorn, zone.log.lastId(), {}};
    ReplayEvent event;
    assert_true(going.seek(9) == ReadStatus::Ok);
    assert_true(zone.log.beginLife(kOtherLineage));
    assert_true(going.next(UINT64_MAX, event) == ReadStatus::Lapped);

    const EventId born{0, kOtherLineage};
    assertResult(replay(zone.log, {"a"}, old), "", Gap::Unknown, born);
    assertResult(replay(zone.log, {"a"}, Replay::kBeginning), "", Gap::None, born);
    assertResult(replay(zone.log, {"a"}, born), "", Gap::None, born);
    assert_true(appendWithId(zone.log, "a", "2", {5, kOtherLineage}) == AppendStatus::Ok);
    assert_true(appendWithId(zone.log, "b", "3", {6, kOtherLineage}) == AppendStatus::Ok);
    assertResult(replay(zone.log, {"a", "b"}, old), "23", Gap::Unknown, born);
    assertResult(replay(zone.log, {"a", "b"}, born), "23", Gap::None, born);
    assertResult(replay(zone.log, {"a", "b"}, {5, kOtherLineage}), "3", Gap::None, {5, kOtherLineage});
    assertResult(replay(zone.log, {"a"}, {3, kOtherLineage}), "2", Gap::None, {3, kOtherLineage});
}

void historyIsLimited(void**) {
    TestLog zone{8};
    std::vector<EventId> ids;
    for (int i = 0; i < 6; ++i) {
        ids.push_back(append(zone.log, i % 3 == 2 ? "b" : "a", std::to_string(i), kBirth + 1 + i).id);
    } // a: 0 1 3 4, b: 2 5
    assertResult(replay(zone.log, {"a"}, Replay::kBeginning, {.count = 2}), "34", Gap::None, ids[1]);
    assertResult(replay(zone.log, {"a"}, ids[0], {.count = 2}), "34", Gap::Evicted, ids[1]);
    assertResult(replay(zone.log, {"a"}, ids[1], {.count = 2}), "34", Gap::None, ids[1]);
    assertResult(replay(zone.log, {"a", "b"}, kBorn, {.count = 1}), "45", Gap::Evicted, ids[3]);
    assertResult(replay(zone.log, {"a"}, ids[3], {.count = 0}), "", Gap::Evicted, ids[4]);
    assertResult(replay(zone.log, {"a"}, ids[4], {.count = 0}), "", Gap::None, ids[4]);
    assertResult(replay(zone.log, {"a"}, kBorn, {.since = kBirth + 2}), "134", Gap::Evicted, ids[0]);
    assertResult(replay(zone.log, {"a"}, ids[0], {.since = kBirth + 2}), "134", Gap::None, ids[0]);
    assertResult(replay(zone.log, {"a"}, Replay::kBeginning, {.since = kBirth + 99}), "", Gap::None, ids[4]);
}

void theEndIsNoEvent(void**) {
    TestLog zone{8};
    const EventId first = append(zone.log, "a", "1").id;
    append(zone.log, "a", "2");
    endChannel(zone.log, "a");
    checkZone(zone);

    // Of the history one event is asked for, and the end comes along.
    ReplayChannel channels[] = {channel(zone.log, "a")};
    Replay replay{zone.log, channels, first, zone.log.lastId(), {.count = 1}};
    assert_true(replay.seek(9) == ReadStatus::Ok && replay.gap() == Gap::None);
    ReplayEvent event;
    assert_true(replay.next(UINT64_MAX, event) == ReadStatus::Ok && event.header.kind == RecordKind::Event);
    assert_true(replay.next(UINT64_MAX, event) == ReadStatus::Ok && event.header.kind == RecordKind::End);
    assert_true(event.header.payloadLength == event.header.idLineLength);
    assert_true(replay.next(UINT64_MAX, event) == ReadStatus::End);
}

void noEndIsMissed(void**) {
    TestLog zone{8};
    const EventId first = append(zone.log, "a", "1").id;
    const EventId last = append(zone.log, "a", "2").id;
    const EventId end = endChannel(zone.log, "a").id;
    assertResult(replay(zone.log, {"a"}, last), "", Gap::None, last);
    append(zone.log, "a", "3");
    assertResult(replay(zone.log, {"a"}, last), "3", Gap::None, last);
    assertResult(replay(zone.log, {"a"}, end), "3", Gap::None, end);
    assertResult(replay(zone.log, {"a"}, first), "2.3", Gap::None, first);

    // Gone from the ring, with all that was before it.
    endChannel(zone.log, "a");
    const EventId third = zone.log.findChannel(zone.log.hash("a")).newestId;
    for (const uint64_t head = zone.log.head(); zone.log.tail() < head;) {
        append(zone.log, "often", "x");
    }
    assertResult(replay(zone.log, {"a"}, third), "", Gap::None, third);
    assertResult(replay(zone.log, {"a"}, first), "", Gap::Evicted, third);
    append(zone.log, "a", "4");
    assertResult(replay(zone.log, {"a"}, third), "4", Gap::None, third);
    assertResult(replay(zone.log, {"a"}, last), "4", Gap::Evicted, third);
    checkZone(zone);
}

void collidingNamesAreTold(void**) {
    TestLog zone{8};
    std::vector<EventId> ids;
    for (int i = 0; i < 6; ++i) {
        ids.push_back(append(zone.log, i % 2 == 0 ? "a" : "b", 7, std::to_string(i)).id);
    }
    ReplayChannel channels[] = {channel(zone.log, "a", 7), channel(zone.log, "b", 7),
                                channel(zone.log, "c", 7)};
    assertResult(replay(zone.log, channels, Replay::kBeginning), "012345", Gap::None, kBorn);
    assertResult(replay(zone.log, std::span(channels).first(1), ids[0]), "24", Gap::None, ids[1]);
    assertResult(replay(zone.log, std::span(channels).subspan(1, 1), ids[0]), "135", Gap::None, ids[0]);
    assert_string_equal(replay(zone.log, std::span(channels).last(1), kBorn).text.c_str(), "");
}

void seeksInSlices(void**) {
    TestLog zone{8};
    for (int i = 0; i < 20; ++i) {
        append(zone.log, i % 2 == 0 ? "a" : "b", "x");
    }
    ReplayChannel channels[] = {channel(zone.log, "a"), channel(zone.log, "b")};
    Replay replay{zone.log, channels, kBorn, zone.log.lastId(), {}};
    ReplayEvent event;
    int slices = 1;
    while (replay.seek(2) == ReadStatus::End) {
        assert_true(replay.next(UINT64_MAX, event) == ReadStatus::End); // not yet
        ++slices;
    }
    // Of the ten records of each channel 9, 8, 7 and 0 are met, and then the cursor.
    assert_int_equal(slices, 5);
    assert_true(replay.seek(0) == ReadStatus::Ok);

    // Up to a limit, and on to the next.
    assert_true(replay.next(1, event) == ReadStatus::Ok && event.offset == 0);
    assert_true(replay.next(1, event) == ReadStatus::End);
    assert_true(replay.next(event.header.length, event) == ReadStatus::End);
    assert_true(replay.next(event.header.length + 1, event) == ReadStatus::Ok && event.header.number == 1);
}

uint64_t stepsOfSeek(LogWriter& log, const char* name, EventId cursor, const History& history = {}) {
    ReplayChannel channels[] = {channel(log, name)};
    Replay replay{log, channels, cursor, log.lastId(), history};
    for (uint64_t steps = 1;; ++steps) {
        switch (replay.seek(1)) {
        case ReadStatus::Ok:
            return steps;
        case ReadStatus::Lapped:
            fail();
            break;
        case ReadStatus::End:
            break;
        }
    }
}

// Whatever the ring has lost, other channels have written in between, and the clock does.
void seeksInFewSteps(void**) {
    TestLog zone{8, 2 * 1024 * 1024};
    Random random{1};
    uint64_t now = kBirth;
    uint64_t most = 0;
    std::vector<EventId> ids;
    const auto look = [&](EventId cursor, const History& history = {}) {
        most = std::max(most, stepsOfSeek(zone.log, "a", cursor, history));
    };
    for (uint64_t i = 0; i < 60'000; ++i) {
        now += random.below(3);
        const uint64_t time = now - random.below(10);
        const bool other = random.chance(20);
        if (random.chance(i / 10'000 % 2 == 0 ? 1 : 30)) {
            endChannel(zone.log, other ? "b" : "a", time);
        } else {
            const EventId id = append(zone.log, other ? "b" : "a", "x", time).id;
            ids.push_back(id);
        }
        if (i % 7 == 0) {
            look(ids[random.below(ids.size())]);
            look(ids[ids.size() - 1 - random.below(std::min<size_t>(ids.size(), 12'000))]);
            look(Replay::kBeginning, {.count = random.below(12'000)});
            look(kBorn, {.count = random.below(100), .since = now - random.below(12'000)});
        }
    }
    print_message("# %lu steps at most\n", static_cast<unsigned long>(most));
    assert_true(most < 80); // of about 12'000 records
    checkZone(zone);
}

void countsWhatIsMissed(void**) {
    TestLog zone{8};
    std::vector<EventId> ids;
    for (int i = 0; i < 60; ++i) {
        ids.push_back(append(zone.log, i % 3 == 2 ? "b" : "a", "x", kBirth + 1 + i).id);
        if (i % 10 == 9) {
            endChannel(zone.log, "a", kBirth + 1 + i);
        }
    }
    const auto missed = [&](std::initializer_list<const char*> names, EventId cursor,
                            const History& history = {}) {
        std::vector<ReplayChannel> channels;
        for (const char* name : names) {
            channels.push_back(channel(zone.log, name));
        }
        Replay replay{zone.log, channels, cursor, zone.log.lastId(), history};
        assert_true(replay.seek(UINT32_MAX) == ReadStatus::Ok);
        return replay.missed();
    };
    assert_false(missed({"a"}, ids[0]).has_value());
    assert_true(missed({"a"}, ids[0], {.count = 10}) == 29);
    assert_true(missed({"a"}, ids[0], {.count = 0}) == 39);
    assert_true(missed({"b"}, ids[0], {.count = 10}) == 10);
    assert_true(missed({"a", "b", "none"}, ids[0], {.count = 10}) == 39);
    assert_true(missed({"a"}, ids[0], {.since = kBirth + 31}) == 19);
    assert_true(missed({"a"}, ids[1], {.count = 38}) == std::nullopt);
    assert_true(missed({"a"}, ids[0], {.count = 38}) == 1);
    assert_true(missed({"a"}, kBorn, {.count = 38}) == 2);
    assert_false(missed({"a"}, Replay::kBeginning, {.count = 10}).has_value());
    assert_false(missed({"a"}, {kBirth, kOtherLineage}, {.count = 10}).has_value()); // of another life
    // What has left the ring is not counted, and then nothing is.
    while (zone.log.tail() == 0) {
        append(zone.log, "c", "x");
    }
    assert_false(missed({"a"}, kBorn, {.count = 10}).has_value());
    assert_false(missed({"a", "b"}, kBorn, {.count = 10}).has_value());
    assert_true(missed({"a"}, ids[1], {.count = 10}) == 28);
}

// A record is too old by the time at which it came, and hides what is older, whatever its id says.
void ageGoesByTheClock(void**) {
    TestLog zone{8};
    std::vector<EventId> ids;
    const uint64_t ahead = kBirth + 1'000'000; // the clock was, for the first ten
    for (int i = 0; i < 40; ++i) {
        const uint64_t now = i < 10 ? ahead + i : kBirth + i;
        ids.push_back(append(zone.log, "a", std::string(1, static_cast<char>('A' + i)), now).id);
    }
    assert_true(ids[39].milliseconds == ids[9].milliseconds);
    assertResult(replay(zone.log, {"a"}, ids[0], {.since = kBirth + 36}), "efgh", Gap::Evicted, ids[35]);
    assertResult(replay(zone.log, {"a"}, ids[38], {.since = kBirth + 36}), "h", Gap::None, ids[38]);
    assertResult(replay(zone.log, {"a"}, ids[0], {.since = kBirth + 41}), "", Gap::Evicted, ids[39]);
    const Result all = replay(zone.log, {"a"}, ids[7], {.since = kBirth + 10});
    assert_true(all.gap == Gap::None && all.text.size() == 32 && all.start == ids[7]);
}

void endsAtTheHorizon(void**) {
    TestLog zone{8};
    append(zone.log, "a", "1");
    ReplayChannel channels[] = {channel(zone.log, "a"), channel(zone.log, "b")};
    Replay replay{zone.log, channels, kBorn, zone.log.lastId(), {}};
    assert_true(replay.horizon() == zone.log.head());
    const EventId b = append(zone.log, "b", "2").id;
    append(zone.log, "a", "3");
    assert_true(replay.seek(9) == ReadStatus::Ok);
    ReplayEvent event;
    assert_true(replay.next(zone.log.head(), event) == ReadStatus::Ok);
    assert_true(event.header.next != kNoOffset);
    assert_true(replay.next(zone.log.head(), event) == ReadStatus::End);
    const EventId seen = event.header.id;
    assertResult(::replay(zone.log, {"a", "b"}, seen), "23", Gap::None, seen);
    assertResult(::replay(zone.log, {"a", "b"}, b), "3", Gap::None, b);
}

void fallsBehind(void**) {
    TestLog zone{8};
    append(zone.log, "a", "1");
    append(zone.log, "a", "2");
    const auto overtake = [&zone](uint64_t offset) {
        while (zone.log.tail() <= offset) {
            append(zone.log, "b", "x");
        }
    };
    ReplayChannel channels[] = {channel(zone.log, "a")};
    const uint64_t newest = channels[0].state.newest;
    Replay reading{zone.log, channels, kBorn, zone.log.lastId(), {}};
    assert_true(reading.seek(9) == ReadStatus::Ok);
    ReplayChannel others[] = {channels[0]};
    Replay seeking{zone.log, others, kBorn, zone.log.lastId(), {}};
    assert_true(seeking.seek(1) == ReadStatus::End);
    overtake(0);

    ReplayEvent event;
    assert_true(reading.next(UINT64_MAX, event) == ReadStatus::Lapped);
    // The seek still has the newest, but not its predecessor.
    assert_true(zone.log.tail() == newest);
    assert_true(seeking.seek(9) == ReadStatus::Ok);
    assert_true(seeking.gap() == Gap::Evicted);
    overtake(newest);
    Replay late{zone.log, channels, kBorn, zone.log.lastId(), {}};
    assert_true(late.seek(9) == ReadStatus::Lapped);
}

void findsPublisherIds(void**) {
    TestLog zone{8};
    const std::string longOne(600, 'l');
    std::vector<EventId> ids;
    for (const char* own : {"one", "two", "one~x", "", "on", longOne.c_str(), "two"}) {
        ids.push_back(append(zone.log, ids.size() % 2 == 0 ? "a" : "b", "1", kBirth, own).id);
    }
    const ReplayChannel channels[] = {channel(zone.log, "a"), channel(zone.log, "b")};
    const auto find = [&](std::string_view own, size_t count = 2) {
        return findPublisherId(zone.log, std::span(channels).first(count), own);
    };
    assert_true(find("one") == ids[0]);
    assert_true(find("two") == ids[6]);
    assert_true(find("one~x") == ids[2]);
    assert_true(find("on") == ids[4]);
    assert_true(find(longOne) == ids[5]);
    assert_false(find(longOne, 1).has_value());
    assert_false(find("x").has_value());
    assert_false(find("").has_value());
    assert_false(find("One").has_value());
    while (zone.log.tail() == 0) {
        append(zone.log, "c", std::string(3000, 'x'));
    }
    assert_false(find("one").has_value());
}

// The newest ids are found, one for each KB of the ring at least, and one that is used again takes no room.
void findsTheNewestPublisherIds(void**) {
    TestLog zone{8, 4 * 1024 * 1024};
    std::vector<EventId> ids;
    for (int i = 0; i < 60'000; ++i) {
        ids.push_back(append(zone.log, "a", "x", kBirth, "own-" + std::to_string(i)).id);
        append(zone.log, i % 2 == 0 ? "a" : "b", "x", kBirth, "often");
    }
    const auto find = [&zone](const char* name, size_t number) {
        return zone.log.findPublisherId(name, zone.log.hash(name), "own-" + std::to_string(number));
    };
    size_t found = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
        const bool isNew = ids.size() - i <= zone.log.capacity() / 1024;
        const auto id = find("a", i);
        assert_true(id ? *id == ids[i] : !isNew);
        assert_false(find("b", i).has_value());
        found += id ? 1 : 0;
    }
    assert_true(found <= zone.log.capacity() / 512);
    print_message("# %lu of %lu found\n", static_cast<unsigned long>(found),
                  static_cast<unsigned long>(walk(zone.log).size() / 2));
    checkZone(zone);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(mergesChannels),     cmocka_unit_test(otherLives),
        cmocka_unit_test(livesAtOnce),        cmocka_unit_test(evictionIsAGap),
        cmocka_unit_test(breaksAreGaps),      cmocka_unit_test(breaksComeInTime),
        cmocka_unit_test(endsBeforeABreak),   cmocka_unit_test(anotherLifeIsUnknown),
        cmocka_unit_test(historyIsLimited),   cmocka_unit_test(theEndIsNoEvent),
        cmocka_unit_test(noEndIsMissed),      cmocka_unit_test(collidingNamesAreTold),
        cmocka_unit_test(seeksInSlices),      cmocka_unit_test(seeksInFewSteps),
        cmocka_unit_test(countsWhatIsMissed), cmocka_unit_test(ageGoesByTheClock),
        cmocka_unit_test(endsAtTheHorizon),   cmocka_unit_test(fallsBehind),
        cmocka_unit_test(findsPublisherIds),  cmocka_unit_test(findsTheNewestPublisherIds),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
