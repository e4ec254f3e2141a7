// A walk through the channels meets each that stays once, whatever happens to the others meanwhile; and what
// the log tells of a channel is what a reader would count.
#include <map>
#include <set>

#include "check.hpp"
#include "cmocka.hpp"
#include "log/channel_walk.hpp"

using namespace sse;

namespace {

std::string nameOf(const Log& log, const WalkedChannel& channel) {
    ChannelSummary summary;
    return log.summarise(channel.state, summary) ? std::string(summary.nameView()) : std::string();
}

// All names, in the order of the walk, with so much room at a time. between() is called after each part.
template <typename Between>
std::vector<std::string> walkAll(LogWriter& log, size_t room, Between&& between) {
    std::vector<WalkedChannel> channels(room);
    std::vector<std::string> names;
    uint64_t from = 0;
    for (;;) {
        const WalkedPart part = log.walk(from, channels);
        assert_true(part.channels.size() <= room);
        for (const WalkedChannel& channel : part.channels) {
            assert_true(channel.place >= from && (!part.next || channel.place < *part.next));
            names.push_back(nameOf(log, channel));
        }
        if (!part.next) {
            return names;
        }
        assert_true(*part.next > from);
        from = *part.next;
        between();
    }
}

std::vector<std::string> walkAll(LogWriter& log, size_t room) {
    return walkAll(log, room, [] {});
}

void meetsAllOnce(void**) {
    for (const uint32_t channels : {1u, 2u, 3u, 64u, 1000u}) {
        TestLog zone{channels, 1 << 20};
        std::set<std::string> expected;
        for (uint32_t i = 0; i < channels; ++i) {
            const std::string name = "c" + std::to_string(i);
            append(zone.log, name, "x");
            expected.insert(name);
        }
        for (const size_t room : {size_t{1}, size_t{2}, size_t{7}, size_t{2000}}) {
            const std::vector<std::string> names = walkAll(zone.log, room);
            assert_int_equal(names.size(), channels);
            assert_true(std::set(names.begin(), names.end()) == expected);
            assert_true(names == walkAll(zone.log, 2000));
        }
    }
}

void meetsNothingInAnEmptyLog(void**) {
    TestLog zone{64};
    assert_true(walkAll(zone.log, 4).empty());
    zone.log.unlisten(zone.log.listen(zone.log.hash("gone"), 1).entry, 1);
    assert_true(walkAll(zone.log, 4).empty());
}

// Buckets of many channels, as of an index that is too small for its hash: one bucket does not fit into the
// room.
void meetsAllOfALongBucket(void**) {
    TestLog zone{64, 1 << 20};
    std::multiset<uint64_t> expected;
    for (uint64_t i = 0; i < 50; ++i) {
        const uint64_t hash = i << 32; // all in the first bucket
        append(zone.log, "c" + std::to_string(i), hash, "x");
        expected.insert(walkPlace(hash));
    }
    for (const size_t room : {size_t{1}, size_t{3}, size_t{49}, size_t{50}}) {
        std::vector<WalkedChannel> channels(room);
        std::multiset<uint64_t> places;
        uint64_t from = 0;
        std::optional<uint64_t> next = 0;
        while (next) {
            const WalkedPart part = zone.log.walk(from, channels);
            for (const WalkedChannel& channel : part.channels) {
                places.insert(channel.place);
            }
            next = part.next;
            from = next.value_or(0);
        }
        assert_true(places == expected);
    }
}

void meetsThoseThatStay(void**) {
    Random random(4711);
    for (int round = 0; round < 30; ++round) {
        TestLog zone{300, 1 << 23}; // whose ring does not wrap, but whose index is full
        std::set<std::string> stay;
        for (int i = 0; i < 100; ++i) {
            const std::string name = "stay" + std::to_string(i);
            zone.log.listen(zone.log.hash(name), 1); // so that its entry is not taken away
            append(zone.log, name, "x");
            stay.insert(name);
        }
        uint64_t count = 0;
        const std::vector<std::string> names = walkAll(zone.log, 1 + random.below(20), [&] {
            for (uint64_t n = random.below(100); n != 0; --n) { // each takes the entry of another one
                append(zone.log, "other" + std::to_string(random.below(2) == 0 ? ++count : random.below(500)),
                       "x");
            }
        });
        std::map<std::string, int> met;
        for (const std::string& name : names) {
            assert_int_equal(++met[name], 1);
        }
        for (const std::string& name : stay) {
            assert_int_equal(met[name], 1);
        }
    }
}

// A log with another number of channels has the same places.
void goesOnInALogThatTakesOver(void**) {
    TestLog zone{300, 1 << 20};
    TestLog next{2000, 1 << 20};
    std::set<std::string> expected;
    for (int i = 0; i < 200; ++i) {
        append(zone.log, "c" + std::to_string(i), "x");
        expected.insert("c" + std::to_string(i));
    }
    std::vector<WalkedChannel> channels(100);
    const WalkedPart first = zone.log.walk(0, channels);
    std::multiset<std::string> names;
    for (const WalkedChannel& channel : first.channels) {
        names.insert(nameOf(zone.log, channel));
    }
    assert_int_equal(names.size(), 100);
    takeOver(next.log, zone.log);
    assert_true(next.log.walkKey() == zone.log.walkKey());
    uint64_t from = *first.next;
    for (std::optional<uint64_t> more = from; more;) {
        const WalkedPart part = next.log.walk(from, channels);
        for (const WalkedChannel& channel : part.channels) {
            names.insert(nameOf(next.log, channel));
        }
        more = part.next;
        from = more.value_or(0);
    }
    assert_true(names == std::multiset<std::string>(expected.begin(), expected.end()));
}

void listenersWithoutEvents(void**) {
    TestLog zone{64};
    const ChannelState state = zone.log.listen(zone.log.hash("quiet"), 1);
    zone.log.addSubscribers(state.entry, 3);
    std::vector<WalkedChannel> channels(4);
    const WalkedPart part = zone.log.walk(0, channels);
    assert_int_equal(part.channels.size(), 1);
    assert_int_equal(part.channels[0].state.subscribers, 3);
    ChannelSummary summary;
    assert_false(zone.log.summarise(part.channels[0].state, summary));
}

ChannelSummary summaryOf(LogWriter& log, std::string_view channel) {
    ChannelSummary summary;
    assert_true(log.summarise(log.findChannel(log.hash(channel)), summary));
    assert_true(summary.nameView() == channel);
    return summary;
}

// Compared with all records, over rings that wrap many times.
void countsWhatIsInTheRing(void**) {
    Random random(815);
    TestLog zone{64};
    for (int i = 0; i < 20000; ++i) {
        const std::string channel = "c" + std::to_string(random.below(1 + random.below(20)));
        if (random.chance(5)) {
            endChannel(zone.log, channel, kBirth + static_cast<uint64_t>(i));
        } else {
            append(zone.log, channel, std::string(random.below(200), 'x'), kBirth + static_cast<uint64_t>(i));
        }
        if (i % 500 != 0) {
            continue;
        }
        std::map<std::string, std::vector<RecordHeader>> records;
        for (const LoggedEvent& event : walk(zone.log)) {
            records[nameOf(zone.log, event.offset, event.header)].push_back(event.header);
        }
        for (const auto& [name, own] : records) {
            const ChannelSummary summary = summaryOf(zone.log, name);
            const auto events = std::count_if(own.begin(), own.end(), [](const RecordHeader& record) {
                return record.kind == RecordKind::Event;
            });
            assert_int_equal(zone.log.retainedEvents(zone.log.findChannel(zone.log.hash(name))), events);
            assert_true(summary.mostEvents >= events);
            assert_true(summary.hasEnded == (own.back().kind == RecordKind::End));
            assert_true(summary.time == own.back().time);
            assert_true(events == 0 || summary.newestId == newestEvent(own.back()));
        }
    }
}

void tellsOfAnEndThatIsAnEvent(void**) {
    TestLog zone{8};
    zone.log.append(
        {.channel = "c", .hash = zone.log.hash("c"), .publisherId = {}, .end = true, .fields = "data: x\n\n"},
        kBirth);
    const ChannelSummary summary = summaryOf(zone.log, "c");
    assert_true(summary.hasEnded);
    assert_int_equal(zone.log.retainedEvents(zone.log.findChannel(zone.log.hash("c"))), 1);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(meetsAllOnce),
        cmocka_unit_test(meetsNothingInAnEmptyLog),
        cmocka_unit_test(meetsAllOfALongBucket),
        cmocka_unit_test(meetsThoseThatStay),
        cmocka_unit_test(goesOnInALogThatTakesOver),
        cmocka_unit_test(listenersWithoutEvents),
        cmocka_unit_test(countsWhatIsInTheRing),
        cmocka_unit_test(tellsOfAnEndThatIsAnEvent),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
