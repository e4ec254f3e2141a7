// A damaged record: every walk through the log comes to an end, and events that are lost after it are
// reported as a gap.
#include <unistd.h>

#include "check.hpp"
#include "cmocka.hpp"

using namespace sse;

namespace {

using Damage = void (*)(RecordHeader& record, uint64_t offset, const TestLog& zone);

// What makes a record unreadable, and what spoils the chain of its channel.
constexpr Damage kDamages[] = {
    [](RecordHeader& record, uint64_t, const TestLog&) { record.length = 0; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.length = 8; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.length += 4; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.length = UINT32_MAX - 7; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.nameLength = UINT16_MAX; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.payloadLength = UINT32_MAX; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.payloadLength = 0; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record = {}; },
    [](RecordHeader& record, uint64_t offset, const TestLog&) { record.previous = offset; },
    [](RecordHeader& record, uint64_t, const TestLog& zone) { record.previous = zone.log.head() - 8; },
    [](RecordHeader& record, uint64_t offset, const TestLog&) { record.previous = offset - 8; },
    [](RecordHeader& record, uint64_t offset, const TestLog&) { record.next = offset; },
    [](RecordHeader& record, uint64_t offset, const TestLog&) { record.next = offset + 8; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.next = 0; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.next = kNoOffset - 7; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.next = kNoOffset; },
    [](RecordHeader& record, uint64_t offset, const TestLog&) { record.previous = offset - 4; },
    [](RecordHeader& record, uint64_t offset, const TestLog&) { record.jump = offset; },
    [](RecordHeader& record, uint64_t offset, const TestLog&) { record.jump = offset - 4; },
    [](RecordHeader& record, uint64_t, const TestLog& zone) { record.jump = zone.log.tail(); },
    [](RecordHeader& record, uint64_t, const TestLog& zone) { record.jump = zone.log.head() - 8; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.jumpLevel = UINT8_MAX; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.place += 1000; },
    [](RecordHeader& record, uint64_t, const TestLog&) { record.flags = UINT8_MAX; },
};

// Pads all over: nothing but the bound of a walk ends it.
void padAll(TestLog& zone) {
    RecordHeader pad{};
    pad.length = sizeof(pad);
    pad.kind = RecordKind::Pad;
    for (uint64_t place = 0; place + 2 * sizeof(pad) <= zone.log.capacity(); place += sizeof(pad)) {
        zone.ring().write(place, pad);
    }
}

// Three channels, one of which ends again and again; the ring is full, or is not.
void fill(TestLog& zone, int events) {
    for (int i = 0; i < events; ++i) {
        if (i % 5 == 4) {
            endChannel(zone.log, "c", kBirth + 1 + i);
        } else {
            append(zone.log, i % 2 == 0 ? "a" : "c", std::string(400 + i, 'x'), kBirth + 1 + i, "own");
        }
    }
}

// One damage, to one record.
struct Case {
    Case(Damage damage, int events, size_t which) : zone(8) {
        fill(zone, events);
        records = walk(zone.log);
        const uint64_t offset = records[which * (records.size() - 1) / 4].offset;
        RecordHeader record = zone.ring().header(offset);
        damage(record, offset, zone);
        zone.ring().write(offset, record);
    }

    // Reads like a subscriber, which begins again when it is told that the ring has moved on.
    void read(const char* name, EventId cursor) {
        size_t expected = 0;
        for (const LoggedEvent& event : records) {
            expected += event.header.hash == zone.log.hash(name) && event.header.id > cursor &&
                        event.header.kind == RecordKind::Event;
        }
        size_t given = 0;
        bool told = false;
        bool more = true;
        for (int attempt = 0; more; ++attempt) {
            assert_true(attempt < 4);
            ReplayChannel channels[] = {channel(zone.log, name)};
            Replay replay{zone.log, channels, cursor, zone.log.lastId(), {}};
            const ReadStatus sought = replay.seek(1'000'000);
            assert_true(sought != ReadStatus::End);
            more = sought == ReadStatus::Lapped;
            if (more) {
                continue;
            }
            told = told || replay.gap() != Gap::None;
            cursor = replay.start();
            ReplayEvent event;
            ReadStatus status;
            while ((status = replay.next(UINT64_MAX, event)) == ReadStatus::Ok) {
                assert_true(event.header.id > cursor);
                cursor = event.header.id;
                given += event.header.kind == RecordKind::Event;
            }
            more = status == ReadStatus::Lapped;
        }
        assert_true(told || given == expected);
        const ReplayChannel channels[] = {channel(zone.log, name)};
        findPublisherId(zone.log, channels, "own");
    }

    std::vector<LoggedEvent> records;
    TestLog zone;
};

template <typename F>
void each(F&& check) {
    alarm(60); // an endless loop fails
    for (const Damage damage : kDamages) {
        for (const int events : {20, 2000}) {
            for (size_t which = 0; which < 5; ++which) {
                Case damaged(damage, events, which);
                check(damaged);
            }
        }
    }
    alarm(0);
}

void statsEnd(void**) {
    each([](Case& damaged) {
        const LogStats stats = damaged.zone.log.stats();
        assert_true(stats.published >= stats.evicted);
        assert_true(stats.used <= stats.capacity);
        assert_true(stats.lastId == damaged.zone.log.lastId());
    });
    alarm(60);
    TestLog zone{8};
    fill(zone, 2000);
    padAll(zone);
    zone.header().head.store(UINT64_MAX / 2);
    assert_true(zone.log.stats().firstId == EventId{});
    alarm(0);
}

void readersEnd(void**) {
    each([](Case& damaged) {
        for (const char* name : {"a", "c", "none"}) {
            damaged.zone.log.hasEvent(damaged.zone.log.findChannel(damaged.zone.log.hash(name)));
            damaged.read(name, kBorn);
            for (size_t i = 0; i < damaged.records.size(); i += 3) {
                damaged.read(name, damaged.records[i].header.id);
            }
        }
    });
}

void writersEnd(void**) {
    each([](Case& damaged) {
        // As if the writer of the newest had died.
        const EventId last = damaged.records[damaged.records.size() - 2].header.id;
        damaged.zone.header().dirty = 1;
        damaged.zone.header().lastId.store(last);
        damaged.zone.header().indexedUpTo = damaged.records.back().offset;
        damaged.zone.log.recover();
        assert_true(damaged.zone.log.lastId() >= last);
        for (int i = 0; i < 1000; ++i) {
            assert_true(append(damaged.zone.log, "a", std::string(900, 'y')).id > last);
        }
        assert_true(damaged.zone.log.stats().evicted != 0);
        walk(damaged.zone.log); // nothing is left of it
    });
}

// What lies behind the damage is lost, and so is what leads to what lies before it.
void takingOverEnds(void**) {
    each([](Case& damaged) {
        TestLog zone{8, 2 * Log::kMinCapacity, kBirth, kOtherLineage};
        takeOver(zone.log, damaged.zone.log);
        assert_true(zone.log.lastId() >= damaged.records.back().header.id);
        const std::vector<LoggedEvent> kept = walk(zone.log);
        if (kept.size() < damaged.records.size()) {
            for (const char* name : {"a", "c"}) {
                ReplayChannel channels[] = {channel(zone.log, name)};
                Replay replay{zone.log, channels, kBorn, zone.log.lastId(), {}};
                assert_true(replay.seek(1'000'000) == ReadStatus::Ok);
                assert_true(replay.gap() == Gap::Evicted);
            }
        }
        append(zone.log, "a", "further");
        assert_true(walk(zone.log).size() == kept.size() + 1);
    });
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(statsEnd),
        cmocka_unit_test(readersEnd),
        cmocka_unit_test(writersEnd),
        cmocka_unit_test(takingOverEnds),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
