// What a follower does after it has connected, for everything that the log and the stream may say.
#include "bus/sync.hpp"

#include <string>

#include "bus_replies.hpp"
#include "pieces.hpp"

using namespace sse;

namespace {

constexpr uint64_t kOurs = 7;
constexpr uint64_t kOther = 8;

// A stream of our lineage with the entries 10-0 to 20-0, all of those that it ever had.
StreamFacts stream() {
    return {.lineage = kOurs,
            .last = {20, 0},
            .first = StreamId{10, 0},
            .newest = StreamId{20, 0},
            .isWhole = true,
            .entry = StreamFacts::Entry::Missing};
}

StreamFacts emptyStream(uint64_t lineage) {
    return {.lineage = lineage,
            .last = {},
            .first = std::nullopt,
            .newest = std::nullopt,
            .isWhole = true,
            .entry = StreamFacts::Entry::Missing};
}

LogFacts fresh() {
    return {.isBound = false, .isEmpty = true, .lineage = kOurs, .last = {}, .position = {}};
}

LogFacts bound(StreamId position) {
    return {.isBound = true, .isEmpty = false, .lineage = kOurs, .last = position, .position = position};
}

std::string describe(const SyncPlan& plan) {
    const char* ways[] = {"read", "fill", "walk back"};
    std::string text = plan.beginsLife ? "new life, " : "";
    text += plan.loses ? "loses, " : "";
    text += plan.breaks ? "breaks, " : "";
    text += ways[static_cast<int>(plan.way)];
    text += plan.way == SyncPlan::Way::Fill ? "" : " " + std::string(StreamIdText(plan.from).view());
    text += plan.gap ? ", gap " + std::string(StreamIdText(*plan.gap).view()) : "";
    return text;
}

void assertPlan(const LogFacts& log, const StreamFacts& stream, std::string_view expected) {
    assertText(describe(planSync(log, stream)), expected, "plan");
}

// A log that has never been on a stream, and never had an event.
void testFresh(void**) {
    assertPlan(fresh(), emptyStream(kOurs), "fill");
    assertPlan(fresh(), stream(), "fill");
    StreamFacts others = stream();
    others.lineage = kOther;
    assertPlan(fresh(), others, "new life, fill");
    assertPlan(fresh(), emptyStream(kOther), "new life, fill");
}

// From one machine to many: the log has events and has been on no stream.
void testFromOneToMany(void**) {
    LogFacts log = fresh();
    log.isEmpty = false;
    log.last = {15, 3};
    assertPlan(log, emptyStream(kOurs), "read 15-3");
    StreamFacts others = stream();
    others.lineage = kOther;
    assertPlan(log, others, "new life, loses, fill");

    // Programs have added entries before, which are older than events of ours, or newer than all of them.
    assertPlan(log, stream(), "walk back 15-3");
    log.last = {9, 0};
    assertPlan(log, stream(), "breaks, read 9-0");
}

// The log has been on the stream, but its position is not known any more.
void testForgotten(void**) {
    LogFacts log = bound({15, 0});
    log.isBound = false;
    log.position = {};
    StreamFacts there = stream();
    there.entry = StreamFacts::Entry::Same;
    assertPlan(log, there, "read 15-0");
    assertPlan(log, stream(), "walk back 15-0");
    StreamFacts trimmed = stream();
    trimmed.first = StreamId{18, 0};
    trimmed.isWhole = false;
    assertPlan(log, trimmed, "read 17-281474976710655, gap 17-281474976710655");
    trimmed.first = trimmed.newest = std::nullopt;
    trimmed.last = {15, 0};
    assertPlan(log, trimmed, "read 15-0");
}

void testReturn(void**) {
    StreamFacts there = stream();
    there.entry = StreamFacts::Entry::Same;
    assertPlan(bound({12, 0}), there, "read 12-0");
    there.isWhole = false;
    assertPlan(bound({12, 0}), there, "read 12-0");
    assertPlan(bound({20, 0}), there, "read 20-0");
}

// The newest entry has been trimmed, and nothing has come since.
void testNothingSince(void**) {
    StreamFacts trimmed = emptyStream(kOurs);
    trimmed.last = {20, 0};
    trimmed.isWhole = false;
    assertPlan(bound({20, 0}), trimmed, "read 20-0");
}

void testTrimmedWhileAway(void**) {
    StreamFacts trimmed = stream();
    trimmed.isWhole = false;
    assertPlan(bound({5, 0}), trimmed, "read 9-281474976710655, gap 9-281474976710655");
    trimmed.first = StreamId{10, 4};
    assertPlan(bound({10, 2}), trimmed, "read 10-3, gap 10-3");
    trimmed.first = trimmed.newest = std::nullopt;
    assertPlan(bound({5, 0}), trimmed, "read 20-0, gap 20-0");
}

// It has all that was ever added to it, and not our newest entry: so this is not the stream that had that.
void testDeletedWhileAway(void**) {
    assertPlan(bound({5, 0}), stream(), "read 9-281474976710655, gap 9-281474976710655");
    assert_true(mayLackAfter(stream(), {5, 0}));
    assert_false(mayLackAfter(stream(), {}));
    assert_false(mayLackAfter(stream(), {10, 0}));
    StreamFacts trimmed = stream();
    trimmed.isWhole = false;
    assert_true(mayLackAfter(trimmed, {}));
}

void testLostWrites(void**) {
    StreamFacts behind = stream();
    for (const bool isWhole : {true, false}) {
        behind.isWhole = isWhole;
        assertPlan(bound({20, 1}), behind, "walk back 20-1"); // it has older entries than ours alone
        assertPlan(bound({15, 0}), behind, "walk back 15-0"); // and has issued newer ids since
        assertPlan(bound({10, 1}), behind, "walk back 10-1");
    }
    // It has issued the id of our newest entry again, for another one.
    behind.entry = StreamFacts::Entry::Other;
    assertPlan(bound({20, 0}), behind, "walk back 20-0");
    assertPlan(bound({12, 0}), behind, "walk back 12-0");
    // All of it is gone, but not its lineage.
    assertPlan(bound({15, 0}), emptyStream(kOurs), "walk back 15-0");
}

// Bound, and nothing has been taken yet: the connection was lost before anything came.
void testNothingTaken(void**) {
    LogFacts log = bound({});
    log.isEmpty = true;
    assertPlan(log, emptyStream(kOurs), "fill");
    assertPlan(log, stream(), "fill");
}

void testAnotherLife(void**) {
    StreamFacts flushed = emptyStream(kOther);
    assertPlan(bound({15, 0}), flushed, "new life, loses, fill");
    StreamFacts replaced = stream();
    replaced.lineage = kOther;
    assertPlan(bound({15, 0}), replaced, "new life, loses, fill");
    LogFacts empty = bound({});
    empty.isEmpty = true;
    assertPlan(empty, replaced, "new life, fill");
}

// --- What the server says ---

std::string number(int64_t value) {
    return ":" + std::to_string(value) + "\r\n";
}

StreamFacts readInfo(const std::string& wire, bool isInfo = true) {
    ReplyReader reader(1024 * 1024);
    assert_true(reader.feed(wire));
    const Reply* reply = nullptr;
    assert_int_equal(reader.next(reply), ReplyReader::Next::Reply);
    StreamFacts facts;
    assert_int_equal(readStreamInfo(*reply, facts), isInfo);
    return facts;
}

void testInfo(void**) {
    const StreamFacts facts = readInfo(
        array({bulk("length"), number(2), bulk("radix-tree-keys"), number(1), bulk("last-generated-id"),
               bulk("9-1"), bulk("entries-added"), number(2), bulk("groups"), number(0), bulk("first-entry"),
               entry("3-0", {"channel", "a"}), bulk("last-entry"), entry("8-2", {"channel", "a"})}));
    assert_true(facts.last == StreamId({9, 1}));
    assert_true(facts.first == StreamId({3, 0}));
    assert_true(facts.newest == StreamId({8, 2}));
    assert_true(facts.isWhole);

    const StreamFacts empty = readInfo(
        array({bulk("length"), number(0), bulk("last-generated-id"), bulk("9-1"), bulk("entries-added"),
               number(4), bulk("first-entry"), "$-1\r\n", bulk("last-entry"), "$-1\r\n"}));
    assert_true(empty.last == StreamId({9, 1}));
    assert_false(empty.first || empty.newest || empty.isWhole);

    // An older server does not count them.
    assert_false(readInfo(array({bulk("length"), number(2)})).isWhole);
    readInfo("-ERR no such key\r\n", false);
    readInfo(array({}), false);
}

void testLineage(void**) {
    assert_true(parseLineage("1") == 1U);
    assert_true(parseLineage("65535") == 65535U);
    for (const std::string_view none : {"", "0", "65536", "-1", "1 ", "x", "99999999999999999999999"}) {
        assert_false(parseLineage(none).has_value());
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testFresh),
        cmocka_unit_test(testFromOneToMany),
        cmocka_unit_test(testForgotten),
        cmocka_unit_test(testReturn),
        cmocka_unit_test(testNothingSince),
        cmocka_unit_test(testTrimmedWhileAway),
        cmocka_unit_test(testDeletedWhileAway),
        cmocka_unit_test(testLostWrites),
        cmocka_unit_test(testNothingTaken),
        cmocka_unit_test(testAnotherLife),
        cmocka_unit_test(testInfo),
        cmocka_unit_test(testLineage),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
