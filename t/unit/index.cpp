// The index: entries, listeners, reuse, and what is forgotten.
#include <algorithm>
#include <bitset>
#include <set>

#include "check.hpp"
#include "cmocka.hpp"

using namespace sse;

namespace {

std::string channel(uint64_t number) {
    return "channel-" + std::to_string(number);
}

bool has(const ListenerSet& set, uint32_t worker) {
    return (set[worker / 64] >> worker % 64 & 1) != 0;
}

size_t size(const ListenerSet& set) {
    return std::bitset<64>(set[0]).count() + std::bitset<64>(set[1]).count();
}

// Overwrites the whole ring with events of a channel.
void flush(TestLog& zone, std::string_view name) {
    const uint64_t head = zone.log.head();
    while (zone.log.tail() < head) {
        append(zone.log, name, std::string(4000, 'f'));
    }
}

void finds(void**) {
    TestLog zone{8};
    ChannelState state = zone.log.findChannel(zone.log.hash("a"));
    assert_true(state.entry == kNoEntry && state.newest == kNoOffset && state.newestId == kBorn);

    append(zone.log, "a", "1");
    const uint64_t offset = zone.log.head();
    const Appended second = append(zone.log, "a", "2");
    state = zone.log.findChannel(zone.log.hash("a"));
    assert_true(state.entry != kNoEntry && state.newest == offset && state.newestId == second.id);
    assert_true(state.head == zone.log.head());
    assert_true(zone.log.channelAt(state.entry).newestId == second.id);
    assert_true(zone.log.findChannel(zone.log.hash("b")).entry == kNoEntry);

    // Evicted, but not forgotten.
    flush(zone, "b");
    state = zone.log.findChannel(zone.log.hash("a"));
    assert_true(state.entry != kNoEntry && state.newest == kNoOffset && state.newestId == second.id);
    assert_int_equal(zone.log.stats().channels, 1);
    assert_int_equal(zone.log.stats().channelCapacity, 8);
    checkZone(zone);
}

void knowsWhetherAnEventIsLeft(void**) {
    TestLog zone{8};
    const auto hasEvent = [&zone] { return zone.log.hasEvent(zone.log.findChannel(zone.log.hash("a"))); };
    assert_false(hasEvent());
    endChannel(zone.log, "a");
    assert_false(hasEvent());
    append(zone.log, "a", "1");
    assert_true(hasEvent());
    endChannel(zone.log, "a");
    assert_true(hasEvent());
    flush(zone, "b");
    assert_false(hasEvent());
}

void collidingChannelsShare(void**) {
    TestLog zone{8};
    append(zone.log, "a", 7, "1");
    const uint64_t offset = zone.log.head();
    append(zone.log, "b", 7, "2");
    const std::vector<LoggedEvent> events = walk(zone.log);
    assert_true(events[1].header.previous == 0 && events[0].header.next == offset);
    assert_true(zone.log.isNamed(0, events[0].header, "a") && !zone.log.isNamed(0, events[0].header, "b"));
    assert_int_equal(zone.log.stats().channels, 1);
    checkZone(zone);
}

void everyWorkerCanListen(void**) {
    TestLog zone{4};
    const uint64_t hash = zone.log.hash("a");
    for (uint32_t worker = 0; worker < kMaxListeners; ++worker) {
        const uint32_t entry = zone.log.listen(hash, worker).entry;
        assert_int_equal(entry, 0);
        zone.log.listen(hash, worker); // once more changes nothing
        const Appended appended = append(zone.log, "a", "x");
        assert_true(has(appended.listeners, worker));
        assert_int_equal(size(appended.listeners), worker + 1);
    }
    assert_true(zone.log.listen(hash, kMaxListeners).entry == kNoEntry);
    for (uint32_t worker = 0; worker < kMaxListeners; worker += 2) {
        zone.log.unlisten(0, worker);
        zone.log.unlisten(0, worker);
        const Appended appended = append(zone.log, "a", "x");
        assert_true(!has(appended.listeners, worker) && has(appended.listeners, worker + 1));
    }
    zone.log.unlisten(0, kMaxListeners);
    zone.log.unlisten(4, 0);
    zone.log.unlisten(kNoEntry, 0);
    assert_int_equal(size(append(zone.log, "a", "x").listeners), kMaxListeners / 2);
    assert_int_equal(size(append(zone.log, "b", "x").listeners), 0);
    checkZone(zone);
}

void countsSubscribers(void**) {
    TestLog zone{4};
    const uint32_t entry = zone.log.listen(zone.log.hash("a"), 3).entry;
    zone.log.addSubscribers(entry, 5);
    zone.log.addSubscribers(entry, -2);
    assert_int_equal(zone.log.channelAt(entry).subscribers, 3);
    assert_int_equal(append(zone.log, "a", "x").subscribers, 3);
    zone.log.addSubscribers(entry, -9);
    assert_int_equal(zone.log.channelAt(entry).subscribers, 1); // somebody listens
    zone.log.addSubscribers(entry, 4);

    const uint32_t census = zone.log.census();
    zone.log.beginCensus();
    assert_int_equal(zone.log.census(), census + 1);
    assert_int_equal(zone.log.findChannel(zone.log.hash("a")).subscribers, 1);
    assert_int_equal(append(zone.log, "a", "x").subscribers, 1);
    zone.log.addSubscribers(entry, 2);
    assert_int_equal(append(zone.log, "a", "x").subscribers, 2);
    zone.log.addSubscribers(entry, -2); // of one worker; another has not announced its own
    assert_int_equal(append(zone.log, "a", "x").subscribers, 1);
    zone.log.unlisten(entry, 3);
    assert_int_equal(zone.log.channelAt(entry).subscribers, 0);
    zone.log.addSubscribers(kNoEntry, 1);
    zone.log.addSubscribers(1, 1);
    checkZone(zone);
}

// A shared id may be left over from a worker that has no subscriber any more.
void countsNobodyForASharedId(void**) {
    TestLog zone{4};
    for (uint32_t id = 0; id < kMaxListeners; ++id) {
        const uint32_t entry = zone.log.listen(zone.log.hash("a"), id).entry;
        assert_int_equal(zone.log.channelAt(entry).subscribers, id < kExclusiveListeners ? 1 : 0);
        zone.log.unlisten(entry, id);
        assert_int_equal(zone.log.channelAt(entry).subscribers, 0);
    }
    checkZone(zone);
}

void reusesWhatTheRingHasLost(void**) {
    TestLog zone{3};
    const Appended a = append(zone.log, "a", "x");
    const Appended b = append(zone.log, "b", "x");
    zone.log.listen(zone.log.hash("c"), 0);
    flush(zone, "c"); // a and b are queued, in this order
    const Appended revived = append(zone.log, "a", "y");
    const uint32_t entry = zone.log.findChannel(zone.log.hash("b")).entry;

    append(zone.log, "d", "x"); // passes a over, and takes b
    assert_true(zone.log.findChannel(zone.log.hash("d")).entry == entry);
    assert_true(zone.log.findChannel(zone.log.hash("b")).entry == kNoEntry);
    assert_true(zone.log.findChannel(zone.log.hash("b")).newestId == b.id);
    assert_true(zone.log.findChannel(zone.log.hash("a")).newestId == revived.id);
    assert_true(walk(zone.log).back().header.previousId == b.id && b.id > a.id);
    assert_int_equal(zone.log.stats().forgottenChannels, 0);
    checkZone(zone);
}

void takesTheStalest(void**) {
    TestLog zone{4};
    std::vector<Appended> newest;
    for (const char* name : {"a", "b", "c", "d", "a"}) {
        newest.push_back(append(zone.log, name, "x"));
    }
    const ChannelState b = zone.log.listen(zone.log.hash("b"), 9);
    append(zone.log, "e", "x"); // b has a listener, a is younger: c goes
    assert_true(zone.log.findChannel(zone.log.hash("c")).entry == kNoEntry);
    assert_true(zone.log.findChannel(zone.log.hash("c")).newestId == newest[2].id);
    assert_true(walk(zone.log).back().header.previousId == newest[2].id);
    assert_int_equal(zone.log.stats().forgottenChannels, 1);
    checkZone(zone);

    // Once nobody listens to b, it is the stalest, though the hand has passed it. Its history stays until it
    // goes.
    zone.log.unlisten(b.entry, 9);
    checkZone(zone);
    assert_true(zone.log.findChannel(zone.log.hash("b")).newest == b.newest);
    assert_true(zone.log.listen(zone.log.hash("f"), 1).entry == b.entry);
    assert_true(zone.log.findChannel(zone.log.hash("b")).entry == kNoEntry);
    assert_int_equal(zone.log.stats().forgottenChannels, 2);
    for (const char* name : {"a", "d", "e"}) {
        assert_true(zone.log.findChannel(zone.log.hash(name)).entry != kNoEntry);
    }
    checkZone(zone);
}

void isFullOfListeners(void**) {
    TestLog zone{2};
    zone.log.listen(zone.log.hash("a"), 0);
    zone.log.listen(zone.log.hash("b"), 1);
    assert_true(zone.log.listen(zone.log.hash("c"), 2).entry == kNoEntry);

    const Appended lost = append(zone.log, "c", "x");
    assert_true(lost.status == AppendStatus::Ok && size(lost.listeners) == 0);
    const LoggedEvent event = walk(zone.log).back();
    assert_true(event.header.entry == kNoEntry && event.header.previous == kNoOffset);
    assert_true(zone.log.findChannel(zone.log.hash("c")).newestId == lost.id);
    checkZone(zone);

    zone.log.unlisten(zone.log.findChannel(zone.log.hash("a")).entry, 0);
    const ChannelState c = zone.log.listen(zone.log.hash("c"), 2);
    assert_true(c.entry != kNoEntry && c.newest == kNoOffset && c.newestId == lost.id);
    assert_int_equal(zone.log.stats().forgottenChannels, 0); // a had nothing to lose
    checkZone(zone);
}

void forgetsAWorker(void**) {
    TestLog zone{100};
    for (uint32_t i = 0; i < 50; ++i) {
        zone.log.listen(zone.log.hash(channel(i)), 70);
        zone.log.addSubscribers(i, 1);
        if (i % 2 == 0) {
            zone.log.listen(zone.log.hash(channel(i)), 5);
        }
    }
    assert_int_equal(zone.log.stats().channels, 50);
    uint32_t from = 0;
    int calls = 1;
    while (zone.log.forgetListeners(setOf(70), from, 20)) {
        from += 20;
        ++calls;
        checkZone(zone);
    }
    assert_int_equal(calls, 3);
    assert_int_equal(zone.log.stats().channels, 25);
    for (uint32_t i = 0; i < 50; ++i) {
        const Appended appended = append(zone.log, channel(i), "x");
        assert_true(!has(appended.listeners, 70) && has(appended.listeners, 5) == (i % 2 == 0));
        assert_int_equal(appended.subscribers, i % 2 == 0 ? 1 : 0);
    }
    assert_false(zone.log.forgetListeners(setOf(70), UINT32_MAX, UINT32_MAX));
    const ListenerSet both{setOf(5)[0], setOf(70)[1]};
    zone.log.listen(zone.log.hash(channel(0)), 70);
    assert_false(zone.log.forgetListeners(both, 0, UINT32_MAX));
    assert_true(append(zone.log, channel(0), "x").listeners == ListenerSet{});
    checkZone(zone);
}

void holdsManyChannels(void**) {
    const uint32_t channels = 100000;
    TestLog zone{channels, 32 * 1024 * 1024};
    std::vector<EventId> ids;
    for (uint32_t i = 0; i < channels; ++i) {
        ids.push_back(append(zone.log, channel(i), "x", kBirth + i / 10).id);
    }
    assert_int_equal(zone.log.stats().channels, channels);
    assert_int_equal(zone.log.stats().evicted, 0);
    for (uint32_t i = 0; i < channels; ++i) {
        const ChannelState state = zone.log.findChannel(zone.log.hash(channel(i)));
        RecordHeader record;
        assert_true(state.newestId == ids[i]);
        assert_true(zone.log.readHeader(state.newest, record) == ReadStatus::Ok);
        assert_true(zone.log.isNamed(state.newest, record, channel(i)));
    }
    // As many again: each takes the place of the stalest.
    for (uint32_t i = 0; i < channels; ++i) {
        append(zone.log, channel(channels + i), "x", kBirth + channels);
    }
    assert_true(zone.log.findChannel(zone.log.hash(channel(channels - 1))).entry == kNoEntry);
    assert_true(zone.log.findChannel(zone.log.hash(channel(channels))).entry != kNoEntry);
    assert_int_equal(zone.log.stats().channels, channels);
    checkZone(zone);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(knowsWhetherAnEventIsLeft),
        cmocka_unit_test(collidingChannelsShare),
        cmocka_unit_test(everyWorkerCanListen),
        cmocka_unit_test(countsSubscribers),
        cmocka_unit_test(countsNobodyForASharedId),
        cmocka_unit_test(reusesWhatTheRingHasLost),
        cmocka_unit_test(takesTheStalest),
        cmocka_unit_test(isFullOfListeners),
        cmocka_unit_test(forgetsAWorker),
        cmocka_unit_test(holdsManyChannels),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
