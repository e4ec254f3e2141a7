// Stamps: a repeated request is found as long as its event is in the log and not too many have come since.
// build: -DSSE_FAULTS
#include "check.hpp"
#include "cmocka.hpp"
#include "mortal.hpp"

using namespace sse;

namespace {

Appended appendStamped(LogWriter& log, std::string_view channel, const Stamp& stamp, uint64_t now = kBirth) {
    return log.append({.channel = channel,
                       .hash = log.hash(channel),
                       .publisherId = {},
                       .stamp = stamp.bytes(),
                       .fields = "data: x\n\n"},
                      now);
}

std::optional<EventId> find(const Log& log, std::string_view channel, const Stamp& stamp) {
    const std::optional<NamedEvent> event = log.findStamp(channel, log.hash(channel), stamp);
    return event ? std::optional(event->id) : std::nullopt;
}

std::optional<ProducerPosition> findProducer(const Log& log, std::string_view channel,
                                             std::string_view name) {
    return log.findProducer(channel, log.hash(channel), name);
}

void findsTheRequest(void**) {
    TestLog zone{8};
    const Stamp key = Stamp::ofKey("4711");
    assert_true(!find(zone.log, "c", key));
    const Appended first = appendStamped(zone.log, "c", key);
    append(zone.log, "c", "another");
    assert_true(find(zone.log, "c", key) == first.id);
    assert_true(!find(zone.log, "d", key));
    assert_true(!find(zone.log, "c", Stamp::ofKey("471")));
    assert_true(!find(zone.log, "c", Stamp::ofKey("47111")));
    // A publisher's id is another name, even if it is the same.
    append(zone.log, "c", "third", kBirth, "own");
    assert_true(!find(zone.log, "c", Stamp::ofKey("own")));
    assert_true(!zone.log.findPublisherId("c", zone.log.hash("c"), "4711"));
    checkZone(zone);
}

void staysOutOfThePayload(void**) {
    TestLog zone{8};
    const std::string longest(kMaxStampName, 'k');
    const Appended appended = appendStamped(zone.log, "c", Stamp::ofKey(longest));
    const LoggedEvent event = walk(zone.log).back();
    assert_string_equal(payloadOf(zone.log, event.offset, event.header).c_str(),
                        rendered(appended.id, "x").c_str());
    assert_int_equal(event.header.stampLength, 1 + longest.size());
    assert_true(find(zone.log, "c", Stamp::ofKey(longest)) == appended.id);
}

void knowsWhereProducersStand(void**) {
    TestLog zone{8};
    EventId ids[3];
    for (uint64_t i = 0; i < 3; ++i) {
        ids[i] = appendStamped(zone.log, "c", Stamp::ofProducer("p", {7, i})).id;
    }
    appendStamped(zone.log, "c", Stamp::ofProducer("pp", {1, 99}));
    appendStamped(zone.log, "d", Stamp::ofProducer("p", {8, 0}));
    assert_true(findProducer(zone.log, "c", "p") == ProducerPosition(7, 2));
    assert_true(findProducer(zone.log, "c", "pp") == ProducerPosition(1, 99));
    assert_true(findProducer(zone.log, "d", "p") == ProducerPosition(8, 0));
    assert_true(!findProducer(zone.log, "d", "pp"));
    assert_true(!findProducer(zone.log, "c", "7"));
    for (uint64_t i = 0; i < 3; ++i) {
        assert_true(find(zone.log, "c", Stamp::ofProducer("p", {7, i})) == ids[i]);
    }
    assert_true(!find(zone.log, "c", Stamp::ofProducer("p", {7, 3})));
    checkZone(zone);
}

// And whatever has come meanwhile, none of the newest is forgotten.
void forgetsTheOldest(void**) {
    TestLog zone{8, 1024 * 1024};
    const size_t most = idBucketsFor(zone.log.capacity()) * 8 / 4;
    std::vector<EventId> ids;
    for (size_t i = 0; i < 20 * most; ++i) {
        ids.push_back(appendStamped(zone.log, "c", Stamp::ofKey(std::to_string(i))).id);
        if (i >= most) {
            const size_t old = i - most + 1;
            assert_true(find(zone.log, "c", Stamp::ofKey(std::to_string(old))) == ids[old]);
        }
    }
    assert_true(!find(zone.log, "c", Stamp::ofKey("0")));
}

void survivesANewSize(void**) {
    TestLog zone{8};
    const Appended key = appendStamped(zone.log, "c", Stamp::ofKey("key"));
    appendStamped(zone.log, "c", Stamp::ofProducer("p", {1, 2}));
    TestLog larger{8, 2 * zone.log.capacity()};
    takeOver(larger.log, zone.log);
    assert_true(find(larger.log, "c", Stamp::ofKey("key")) == key.id);
    assert_true(findProducer(larger.log, "c", "p") == ProducerPosition(1, 2));
    checkZone(larger);
}

// A request has been published if, and only if, its stamp is found, whenever its writer has died.
void isThereWithTheEvent(void**) {
    faultHook = dieInTime;
    for (const uint64_t events : {1, 3}) {
        uint64_t found = 0;
        uint64_t steps = 0;
        for (bool died = true; died;) {
            TestLog zone{8};
            append(zone.log, "c", "before");
            const uint64_t head = zone.log.head();
            Operation operation{.kind = Kind::Append, .name = "c", .fields = fields("x"), .now = kBirth};
            operation.hash = zone.log.hash(operation.name);
            operation.stamp = Stamp::ofProducer("p", {1, 2});
            operation.events = events;
            died = !performUntil(zone.log, operation, ++steps);
            performUntil(zone.log, {.kind = Kind::Recover}, 0);
            const bool isThere = zone.log.head() != head;
            const EventId id = walk(zone.log).back().header.id;
            assert_int_equal(walk(zone.log).size(), isThere ? 1 + events : 1);
            assert_true(find(zone.log, "c", operation.stamp) == (isThere ? std::optional(id) : std::nullopt));
            assert_true(findProducer(zone.log, "c", "p").has_value() == isThere);
            found += isThere ? 1 : 0;
            checkZone(zone);
            append(zone.log, "c", "after");
            assert_true(find(zone.log, "c", operation.stamp).has_value() == isThere);
        }
        assert_true(found > 3 && steps > found + 3);
    }
    faultHook = nullptr;
}

// With what its publisher has called it, which may be nothing.
void knowsTheIdOfThePublisher(void**) {
    TestLog zone{8};
    const auto publisherId = [&](const std::string& own) {
        const Stamp key = Stamp::ofKey("of" + own);
        zone.log.append({.channel = "c",
                         .hash = zone.log.hash("c"),
                         .publisherId = own,
                         .stamp = key.bytes(),
                         .fields = "data: x\n\n"},
                        kBirth);
        return std::string(zone.log.findStamp("c", zone.log.hash("c"), key)->publisherId.view());
    };
    for (const std::string& own : {std::string(), std::string("a"), std::string(kMaxPublisherId, 'x')}) {
        assert_string_equal(publisherId(own).c_str(), own.c_str());
    }
    checkZone(zone);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(findsTheRequest),          cmocka_unit_test(staysOutOfThePayload),
        cmocka_unit_test(knowsWhereProducersStand), cmocka_unit_test(forgetsTheOldest),
        cmocka_unit_test(survivesANewSize),         cmocka_unit_test(isThereWithTheEvent),
        cmocka_unit_test(knowsTheIdOfThePublisher),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
