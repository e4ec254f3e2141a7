// What a call costs in the index does not depend on how many entries there are, nor on their state. How many
// there are may be told as arguments; then it prints what each call took.
// build: -DSSE_FAULTS
#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "check.hpp"
#include "cmocka.hpp"
#include "log/fault.hpp"

using namespace sse;

namespace {

std::vector<uint32_t> sizes = {100, 20000};
bool told = false;

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

// Steps of the call, which are few, whatever it finds.
uint64_t stepsOf(const Zone& zone, const char* name, const std::function<void()>& call) {
    using namespace std::chrono;
    steps = 0;
    faultHook = count;
    const steady_clock::time_point start = steady_clock::now();
    call();
    const duration<double, std::micro> time = steady_clock::now() - start;
    faultHook = nullptr;
    if (told) {
        print_message("# %s with %u entries: %lu steps, %.1f us\n", name, zone.header().channels,
                      static_cast<unsigned long>(steps), time.count());
    }
    return steps;
}

// Whatever comes next, a subscriber or an event of a new channel, finds the entry that can be had.
void expectEntry(Zone& zone, uint32_t entry) {
    const uint64_t hash = zone.log.hash("new");
    const uint64_t listening =
        stepsOf(zone, "listen", [&] { assert_int_equal(zone.log.listen(hash, 0).entry, entry); });
    checkLists(zone);
    assert_in_range(listening, 1, kMostSteps);
    const uint64_t leaving = stepsOf(zone, "unlisten", [&] { zone.log.unlisten(entry, 0); });
    checkLists(zone);
    assert_in_range(leaving, 1, kMostSteps);
    const uint64_t publishing = stepsOf(zone, "append", [&] { append(zone.log, "another", "x"); });
    checkLists(zone);
    assert_in_range(publishing, 1, kMostSteps);
    assert_int_equal(zone.log.findChannel(zone.log.hash("another")).entry, entry);
}

// The events of all channels but one have gone, and then all of them but one live again.
void thoseThatLiveAgain(void**) {
    for (const uint32_t entries : sizes) {
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
    for (const uint32_t entries : sizes) {
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
    for (const uint32_t entries : sizes) {
        Zone zone{entries};
        zone.publishAll();
        for (uint32_t number = 0; number < entries; ++number) {
            zone.log.listen(zone.log.hash(name(number)), 1);
        }
        const uint64_t hash = zone.log.hash("new");
        assert_in_range(
            stepsOf(zone, "listen", [&] { assert_int_equal(zone.log.listen(hash, 0).entry, kNoEntry); }), 1,
            kMostSteps);
        assert_in_range(stepsOf(zone, "append", [&] { append(zone.log, "new", "x"); }), 1, kMostSteps);
        checkZone(zone);
    }
}

// A busy channel among silent ones: each of its events is the newest of all.
void theBusyAmongTheSilent(void**) {
    for (const uint32_t entries : sizes) {
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

int main(int argc, char** argv) {
    if (argc > 1) {
        told = true;
        sizes.clear();
        std::transform(argv + 1, argv + argc, std::back_inserter(sizes),
                       [](const char* number) { return static_cast<uint32_t>(std::atol(number)); });
    }
    const CMUnitTest tests[] = {
        cmocka_unit_test(thoseThatLiveAgain),
        cmocka_unit_test(thoseThatAreListenedTo),
        cmocka_unit_test(noneAtAll),
        cmocka_unit_test(theBusyAmongTheSilent),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
