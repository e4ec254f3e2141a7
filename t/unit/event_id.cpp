// Event ids: text, order, the next one.
#include <string>

#include "cmocka.hpp"
#include "log/event_id.hpp"

using namespace sse;

namespace {

std::string format(EventId id) {
    char text[kMaxEventIdText];
    return {text, formatEventId(id, text)};
}

void formats(void**) {
    assert_string_equal(format({0, 0}).c_str(), "0-0");
    assert_string_equal(format({1700000000000, 42}).c_str(), "1700000000000-42");
    const std::string longest = format({UINT64_MAX, UINT64_MAX});
    assert_string_equal(longest.c_str(), "18446744073709551615-18446744073709551615");
    assert_int_equal(longest.size(), kMaxEventIdText);
}

void parsesWhatItFormats(void**) {
    const uint64_t numbers[] = {0, 1, 9, 10, 1700000000000, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
    for (const uint64_t milliseconds : numbers) {
        for (const uint64_t sequence : numbers) {
            const EventId id{milliseconds, sequence};
            assert_true(parseEventId(format(id)) == id);
        }
    }
    assert_true(parseEventId("007-08") == (EventId{7, 8}));
}

void refusesEverythingElse(void**) {
    const char* const texts[] = {"",
                                 "-",
                                 "1",
                                 "1-",
                                 "-1",
                                 "1-2-3",
                                 "1-2 ",
                                 " 1-2",
                                 "+1-2",
                                 "1-+2",
                                 "1--2",
                                 "-1-2",
                                 "a-1",
                                 "1-a",
                                 "1_2",
                                 "1-2~own",
                                 "0x1-2",
                                 "1.0-2",
                                 "1-2\n",
                                 "１-2",
                                 "18446744073709551616-0",
                                 "0-18446744073709551616",
                                 "99999999999999999999999999-1"};
    for (const char* text : texts) {
        if (parseEventId(text)) {
            fail_msg("\"%s\" was taken for an id", text);
        }
    }
    // Not more than the view is looked at.
    assert_true(parseEventId(std::string_view("12-345", 4)) == (EventId{12, 3}));
    assert_false(parseEventId(std::string_view("12-345", 3)).has_value());
    assert_false(parseEventId(std::string_view("1-2\0", 4)).has_value());
    assert_false(parseEventId(std::string_view()).has_value());
}

void order(void**) {
    assert_true((EventId{1, 9}) < (EventId{2, 0}));
    assert_true((EventId{2, 9}) < (EventId{2, 10}));
    assert_true((EventId{2, 9}) == (EventId{2, 9}));
}

void nextGrows(void**) {
    assert_true(nextEventId({5, 65543}, 6, 7) == (EventId{6, 7}));
    assert_true(nextEventId({5, 65543}, 5, 7) == (EventId{5, 131079}));
    assert_true(nextEventId({5, 65543}, 4, 7) == (EventId{5, 131079})); // the clock was set back
    assert_true(nextEventId({5, 65543}, 0, 7) == (EventId{5, 131079}));
    assert_true(nextEventId({0, 7}, 0, 7) == (EventId{0, 65543}));
    for (const uint64_t lineage : {uint64_t{1}, uint64_t{7}, kLineages - 1}) {
        const uint64_t last = UINT64_MAX - (kLineages - 1) + lineage;
        assert_true(nextEventId({5, last - kLineages}, 5, lineage) == (EventId{5, last}));
        assert_true(nextEventId({5, last}, 5, lineage) == (EventId{6, lineage}));
    }
}

void lineagesTellLivesApart(void**) {
    EventId id{5, 7};
    for (uint64_t i = 0; i < 1000; ++i) {
        id = nextEventId(id, i / 3, 7);
        assert_true(isOfLineage(id, 7) && !isOfLineage(id, 8));
    }
    assert_true(isOfLineage({5, 0}, 7)); // a moment
    assert_false(isOfLineage({5, kLineages}, 7));
    assert_false(isOfLineage({5, 1}, 7));
    assert_true(isOfLineage({5, UINT64_MAX}, kLineages - 1));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(parsesWhatItFormats),
        cmocka_unit_test(refusesEverythingElse),
        cmocka_unit_test(order),
        cmocka_unit_test(nextGrows),
        cmocka_unit_test(lineagesTellLivesApart),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
