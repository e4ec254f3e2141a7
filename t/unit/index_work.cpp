// What a call costs in the index does not depend on how many entries there are, nor on their state.
// build: -DSSE_FAULTS
#include <functional>

#include "check.hpp"
#include "cmocka.hpp"
#include "log/fault.hpp"

using namespace sse;

namespace {

constexpr uint32_t kSizes[] = {100, 20000};

// More than any call needs for one entry that it takes: a listener that comes takes some twenty.
constexpr uint64_t kMostSteps = 60;

uint64_t steps; // stores into the index, and entries looked at

void count(const char*) {
    ++steps;
}

std::string name(uint64_t number) {
    return "channel-" + std::to_string(number);
}

// A log with so many entries, each with one record of about 250 bytes in a ring that holds three times as
// many.
struct Zone : TestLog {
    explicit Zone(uint32_t entries) : TestLog(entries, 750 * entries + 2 * Log::kMinCapacity) {}

    void publish(uint64_t number) { append(log, name(number), std::string(50, 'x')); }
    void publishAll() {
        for (uint32_t number = 0; number < header().channels; ++number) {
            publish(number);
        }
    }
    // Overwrites the whole ring with events of one channel.
    void flush(uint64_t number) {
        const uint64_t head = log.head();
        while (log.tail() < head) {
            append(log, name(number), std::string(4000, 'x'));
        }
    }
    uint32_t find(uint64_t number) { return log.findChannel(log.hash(name(number))).entry; }
};

uint64_t stepsOf(const std::function<void()>& call) {
    steps = 0;
    faultHook = count;
    call();
    faultHook = nullptr;
    return steps;
}

// Whatever comes next, a subscriber or an event of a new channel, finds the entry that can be had.
void expectEntry(Zone& zone, uint32_t entry) {
    const uint64_t hash = zone.log.hash("new");
    const uint64_t listening = stepsOf([&] { assert_int_equal(zone.log.listen(hash, 0).entry, entry); });
    checkLists(zone);
    assert_in_range(listening, 1, kMostSteps);
    const uint64_t leaving = stepsOf([&] { zone.log.unlisten(entry, 0); });
    checkLists(zone);
    assert_in_range(leaving, 1, kMostSteps);
    const uint64_t publishing = stepsOf([&] { append(zone.log, "another", "x"); });
    checkLists(zone);
    assert_in_range(publishing, 1, kMostSteps);
    assert_int_equal(zone.log.findChannel(zone.log.hash("another")).entry, entry);
    print_message("# %u entries: %lu, %lu, %lu steps\n", zone.header().channels,
                  static_cast<unsigned long>(listening), static_cast<unsigned long>(leaving),
                  static_cast<unsigned long>(publishing));
}

// The events of all channels but one have gone, and then all of them but one live again.
void thoseThatLiveAgain(void**) {
    for (const uint32_t entries : kSizes) {
        Zone zone{entries};
        zone.publishAll();
        zone.flush(0);
        const uint32_t dead = zone.find(entries - 1);
        for (uint32_t number = 1; number < entries - 1; ++number) {
            zone.publish(number);
        }
        assert_int_equal(zone.log.stats().channels, entries - 1);
        expectEntry(zone, dead);
    }
}

// Somebody listens to each channel but the one that was published to last.
void thoseThatAreListenedTo(void**) {
    for (const uint32_t entries : kSizes) {
        Zone zone{entries};
        for (uint32_t number = 0; number < entries - 1; ++number) {
            zone.log.listen(zone.log.hash(name(number)), 1);
        }
        zone.publishAll();
        zone.publishAll();
        expectEntry(zone, zone.find(entries - 1));
    }
}

// Nobody can have one.
void noneAtAll(void**) {
    for (const uint32_t entries : kSizes) {
        Zone zone{entries};
        zone.publishAll();
        for (uint32_t number = 0; number < entries; ++number) {
            zone.log.listen(zone.log.hash(name(number)), 1);
        }
        const uint64_t hash = zone.log.hash("new");
        assert_in_range(stepsOf([&] { assert_int_equal(zone.log.listen(hash, 0).entry, kNoEntry); }), 1,
                        kMostSteps);
        assert_in_range(stepsOf([&] { append(zone.log, "new", "x"); }), 1, kMostSteps);
        checkZone(zone);
    }
}

// A busy channel among silent ones: each of its events is the newest of all.
void theBusyAmongTheSilent(void**) {
    for (const uint32_t entries : kSizes) {
        Zone zone{entries};
        zone.publishAll();
        for (uint32_t i = 0; i < 2 * entries; ++i) {
            zone.publish(0);
        }
        expectEntry(zone, zone.find(1));
        checkZone(zone);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(thoseThatLiveAgain),
        cmocka_unit_test(thoseThatAreListenedTo),
        cmocka_unit_test(noneAtAll),
        cmocka_unit_test(theBusyAmongTheSilent),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
