// The counts of a zone: places that workers take, leave, move between and die in.
#include <memory>

#include "test_log.hpp"

#include "counters/counts.hpp"

using namespace sse;

namespace {

constexpr size_t kStream = at(SubscriberKind::Stream);
constexpr size_t kPoll = at(SubscriberKind::Poll);
constexpr size_t kCrashed = at(CloseReason::Crashed);

void open(ZoneCounters& place, uint64_t count) {
    place.opened[kStream].add(count);
}

void close(ZoneCounters& place, CloseReason reason, uint64_t count) {
    place.closed[kStream][at(reason)].add(count);
}

void testNames(void**) {
    assert_int_equal(kKinds<CloseReason>, kCrashed + 1);
    assert_int_equal(kKinds<RefusalGroup>, at(RefusalGroup::Error) + 1);
    assert_int_equal(kKinds<Way>, at(Way::Poll) + 1);
    assert_int_equal(kKinds<Deferral>, at(Deferral::Poll) + 1);
    assert_int_equal(kKinds<GapCause>, at(GapCause::Lost) + 1);
    assert_int_equal(kKinds<PublishOutcome>, at(PublishOutcome::Aborted) + 1);
    for (const std::string_view name : kNames<RefusalGroup>) {
        assert_false(name.empty());
    }
    assert_true(kNames<CloseReason>[kCrashed] == "crashed");
    assert_true(kNames<CloseReason>[at(CloseReason::Rejected)] == "rejected");
}

void testOpen(void**) {
    const auto place = std::make_unique<ZoneCounters>();
    open(*place, 5);
    close(*place, CloseReason::Client, 2);
    assert_int_equal(place->open(SubscriberKind::Stream), 3);
    assert_int_equal(place->open(SubscriberKind::Poll), 0);
    place->closed[kPoll][at(CloseReason::None)].add(1); // its beginning has not been seen yet
    assert_int_equal(place->open(SubscriberKind::Poll), 0);
}

void testDeadWorker(void**) {
    const auto place = std::make_unique<ZoneCounters>();
    open(*place, 5);
    close(*place, CloseReason::Drain, 1);

    ZoneSums seen{};
    assert_int_equal(addTo(seen, *place, true)[kStream], 4);
    assert_int_equal(seen.closed[kStream][kCrashed], 0);
    seen = {};
    assert_int_equal(addTo(seen, *place, false)[kStream], 0);
    assert_int_equal(seen.closed[kStream][kCrashed], 4);

    for (int times = 0; times < 2; ++times) { // its successor may die meanwhile
        place->closeCrashed();
        seen = {};
        assert_int_equal(addTo(seen, *place, true)[kStream], 0);
        assert_int_equal(seen.closed[kStream][kCrashed], 4);
        assert_int_equal(seen.opened[kStream], 5);
    }
    open(*place, 1);
    assert_int_equal(place->open(SubscriberKind::Stream), 1);
}

void testMove(void**) {
    const auto from = std::make_unique<ZoneCounters>();
    const auto to = std::make_unique<ZoneCounters>();
    open(*from, 3);
    open(*to, 2);
    to->closeCrashed(); // of the one before
    to->takeOpenOf(*from);
    assert_int_equal(from->open(SubscriberKind::Stream), 0);
    assert_int_equal(to->open(SubscriberKind::Stream), 3);
    close(*to, CloseReason::Client, 3);

    ZoneSums sums{};
    addTo(sums, *from, false);
    addTo(sums, *to, true);
    assert_int_equal(sums.opened[kStream], 5);
    assert_int_equal(sums.closed[kStream][at(CloseReason::Client)], 3);
    assert_int_equal(sums.closed[kStream][kCrashed], 2);
}

void testHomeless(void**) {
    const auto homeless = std::make_unique<ZoneCounters>();
    const auto place = std::make_unique<ZoneCounters>();
    homeless->repairs.add(2);
    place->repairs.add(1);
    place->addAll(*homeless);
    assert_int_equal(place->repairs.value(), 3);
}

void testHistograms(void**) {
    const auto place = std::make_unique<ZoneCounters>();
    for (const uint64_t size : {1, 2, 3, 4, 1024, 1025, 100'000}) {
        place->batches.observe(size);
    }
    const uint64_t expected[] = {1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2};
    ZoneSums sums{};
    addTo(sums, *place, true);
    for (size_t i = 0; i <= BatchSizes::kBounds; ++i) {
        assert_int_equal(sums.batches.buckets[i], expected[i]);
    }
    assert_int_equal(sums.batches.sum, 102'059);

    for (const uint64_t time : {0, 1000, 1001, 10'000'000, 10'000'001}) {
        place->fanout.observe(time);
    }
    sums = {};
    addTo(sums, *place, true);
    assert_int_equal(sums.fanout.buckets[0], 2);
    assert_int_equal(sums.fanout.buckets[1], 1);
    assert_int_equal(sums.fanout.buckets[Durations::kBounds - 1], 1);
    assert_int_equal(sums.fanout.buckets[Durations::kBounds], 1);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testNames), cmocka_unit_test(testOpen),     cmocka_unit_test(testDeadWorker),
        cmocka_unit_test(testMove),  cmocka_unit_test(testHomeless), cmocka_unit_test(testHistograms),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
