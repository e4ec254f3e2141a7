// Answers to polls, byte by byte.
#include "sse/poll_answer.hpp"

#include "pieces.hpp"
#include "sse/encode.hpp"
#include "sse/json.hpp"

using sse::Buffer;
using sse::Event;
using sse::GapReason;
using sse::PollAnswer;

namespace {

// An event as the log renders it.
std::string rendered(const Event& event, std::string_view id) {
    const sse::IdLine line(id, event.publisherId);
    std::string text;
    for (std::string_view part : {line.field, line.id, line.tilde, line.publisherId, line.lineEnd}) {
        text += part;
    }
    std::string fields(sse::encodedSize(event), '\0');
    assert_ptr_equal(sse::encodeFields(event, fields.data()), fields.data() + fields.size());
    return text + fields;
}

std::string added(PollAnswer& answer, std::string_view events) {
    const Exact exact(events);
    Buffer out;
    assert_true(answer.addEvents(out, exact.view()));
    return std::string(out.view());
}

std::string closed(PollAnswer& answer, std::string_view cursor, bool more = false, bool ended = false) {
    Buffer out;
    assert_true(answer.close(out, {.cursor = cursor, .more = more, .ended = ended}));
    return std::string(out.view());
}

std::string eventOf(const Event& event, std::string_view id) {
    PollAnswer answer;
    const std::string text = added(answer, rendered(event, id));
    assert_true(text.starts_with("{\"events\":["));
    assert_int_equal(answer.events(), 1);
    return text.substr(11);
}

void testNothing(void**) {
    PollAnswer answer;
    assertText(closed(answer, "5-1"), "{\"events\":[],\"cursor\":\"5-1\"}\n", "no event");
    PollAnswer end;
    assertText(closed(end, "5-1", false, true), "{\"events\":[],\"cursor\":\"5-1\",\"ended\":true}\n",
               "the end");
    PollAnswer again;
    assertText(closed(again, "5-1", true), "{\"events\":[],\"cursor\":\"5-1\",\"more\":true}\n", "more");
}

void testEvents(void**) {
    const struct {
        Event event;
        std::string_view json;
    } cases[] = {
        {{.type = {}, .data = "hello", .publisherId = {}}, R"({"id":"7-1","type":"message","data":"hello"})"},
        {{.type = {}, .data = "", .publisherId = {}}, R"({"id":"7-1","type":"message","data":""})"},
        {{.type = "a\"b", .data = "x", .publisherId = {}}, R"({"id":"7-1","type":"a\"b","data":"x"})"},
        {{.type = {}, .data = "a\r\nb\n\n c", .publisherId = {}},
         R"({"id":"7-1","type":"message","data":"a\nb\n\n c"})"},
        {{.type = {}, .data = "{\"n\":\"\\\"}", .publisherId = {}},
         R"({"id":"7-1","type":"message","data":"{\"n\":\"\\\"}"})"},
        {{.type = {}, .data = "\xef\xbb\xbf\u2028\u00e9\0"sv, .publisherId = {}},
         "{\"id\":\"7-1\",\"type\":\"message\",\"data\":\"\xef\xbb\xbf\\u2028\u00e9\\u0000\"}"},
        {{.type = {}, .data = "x", .publisherId = "1/2~3", .retryMilliseconds = 5000},
         R"({"id":"7-1~1/2~3","type":"message","retry":5000,"data":"x"})"},
    };
    for (const auto& [event, json] : cases) {
        assertText(eventOf(event, "7-1"), json, std::string(event.data));
    }
}

// The whole id stays as it was sent, however long it is.
void testIds(void**) {
    const std::string_view id = "18446744073709551615-18446744073709551615";
    const std::string publisherId(sse::kMaxPublisherId, 'x');
    PollAnswer answer;
    added(answer, rendered({.type = {}, .data = "x", .publisherId = publisherId}, id));
    assertText(std::string(answer.lastId()), std::string(id) + "~" + publisherId, "the longest one");
}

void testMany(void**) {
    const std::string one = rendered({.type = {}, .data = "1", .publisherId = {}}, "1-1");
    const std::string two = rendered({.type = "t", .data = "2", .publisherId = {}}, "2-1");
    const std::string both = R"({"id":"1-1","type":"message","data":"1"},{"id":"2-1","type":"t","data":"2"})";
    PollAnswer together;
    std::string text = added(together, one + two);
    text += closed(together, together.lastId());
    assertText(text, "{\"events\":[" + both + "],\"cursor\":\"2-1\"}\n", "at once");
    PollAnswer apart;
    text = added(apart, one);
    text += added(apart, "");
    text += added(apart, two);
    text += closed(apart, "9-9");
    assertText(text, "{\"events\":[" + both + "],\"cursor\":\"9-9\"}\n", "piece by piece");
    assert_int_equal(apart.events(), 2);
}

void testGap(void**) {
    PollAnswer answer;
    Buffer out;
    assert_true(answer.addGap(
        out, {.reason = GapReason::Unknown, .requested = "\"\xff", .start = "3-1", .missed = {}}));
    assert_true(answer.hasGap());
    assertText(
        std::string(out.view()) + closed(answer, "3-1"),
        "{\"gap\":{\"reason\":\"unknown\",\"requested\":\"\\\"\ufffd\",\"start\":\"3-1\"},\"events\":[],"
        "\"cursor\":\"3-1\"}\n",
        "alone");
    PollAnswer counted;
    Buffer more;
    assert_true(counted.addGap(
        more, {.reason = GapReason::Evicted, .requested = "1-1", .start = "3-1", .missed = 7}));
    assertText(std::string(more.view()) +
                   added(counted, rendered({.type = {}, .data = "x", .publisherId = {}}, "4-1")),
               R"({"gap":{"reason":"evicted","requested":"1-1","start":"3-1","missed":7},"events":[)"
               R"({"id":"4-1","type":"message","data":"x"})",
               "before events");
}

// It is full with the event with which it gets so long; the first one has room always.
void testFull(void**) {
    std::string events;
    for (char c = '1'; c <= '4'; ++c) {
        events += rendered({.type = {}, .data = {&c, 1}, .publisherId = {}}, std::string(1, c) + "-1");
    }
    const size_t one = std::string_view(R"({"id":"1-1","type":"message","data":"1"})").size();
    const struct {
        size_t most;
        uint64_t events;
        bool full;
    } cases[] = {
        {0, 1, true}, {one, 1, true}, {one + 1, 2, true}, {4 * one + 3, 4, true}, {4 * one + 4, 4, false},
    };
    for (const auto& [most, count, full] : cases) {
        PollAnswer whole, pieces;
        whole.limit(most);
        pieces.limit(most);
        added(whole, events);
        assert_int_equal(whole.events(), count);
        assert_int_equal(whole.isFull(), full);
        for (size_t at = 0; at < events.size() && !pieces.isFull(); at += events.size() / 4) {
            added(pieces, std::string_view(events).substr(at, events.size() / 4));
        }
        assert_int_equal(pieces.events(), count);
        assert_int_equal(pieces.isFull(), full);
        assertText(std::string(pieces.lastId()), std::to_string(count) + "-1", "the last one");
    }
}

// Cut anywhere, it comes out the same.
void testCuts(void**) {
    const std::string events =
        rendered({.type = "t", .data = "a\n\u00e9", .publisherId = "p", .retryMilliseconds = 300}, "1-1") +
        rendered({.type = {}, .data = "\"", .publisherId = {}}, "2-1");
    PollAnswer whole;
    const std::string expected = added(whole, events);
    everyCut(events, [&](const Pieces& pieces) {
        PollAnswer answer;
        std::string text;
        for (std::string_view piece : pieces) {
            text += added(answer, piece);
        }
        assertText(text, expected, "cut");
    });
}

// In parts that end with a character, before or after which events may come.
void testLong(void**) {
    for (std::string_view filling : {"x"sv, "\u00e9"sv, "\u20ac"sv, "\U0001f600"sv, "\n"sv, "\""sv}) {
        std::string data = "a";
        while (data.size() < 3 * PollAnswer::kPart) {
            data += filling;
        }
        Buffer escaped;
        sse::JsonWriter(escaped).string(data);
        const std::string one = rendered({.type = {}, .data = "1", .publisherId = {}}, "1-1");
        const std::string two = rendered({.type = {}, .data = data, .publisherId = {}}, "2-1");
        const std::string three = rendered({.type = {}, .data = "3", .publisherId = {}}, "3-1");
        const std::string expected =
            R"({"events":[{"id":"1-1","type":"message","data":"1"},{"id":"2-1","type":"message","data":)" +
            std::string(escaped.view()) + R"(},{"id":"3-1","type":"message","data":"3"}],"cursor":"9-9"})" +
            "\n";

        PollAnswer answer;
        std::string text = added(answer, one);
        text += added(answer, two);
        int parts = 0;
        for (; answer.isWriting(); ++parts) {
            Buffer out;
            assert_true(answer.writeOn(out));
            assert_true(out.size() <= 6 * PollAnswer::kPart + 2);
            text += out.view();
        }
        assert_in_range(parts, 3, 4);
        text += added(answer, three);
        text += closed(answer, "9-9");
        assertText(text, expected, "in parts");

        PollAnswer impatient;
        text = added(impatient, one + two + three);
        assertText(text + closed(impatient, "9-9"), expected, "at once");

        PollAnswer last;
        last.limit(1);
        added(last, two);
        assert_false(last.isFull());
        closed(last, "9-9");
        assert_true(last.isFull());
        assert_int_equal(last.events(), 1);
    }
}

// What has been begun of an event is left out.
void testUnfinished(void**) {
    const std::string one = rendered({.type = {}, .data = "1", .publisherId = {}}, "1-1");
    PollAnswer answer;
    std::string text = added(answer, one + one.substr(0, one.size() - 1));
    text += closed(answer, answer.lastId());
    assertText(text,
               R"({"events":[{"id":"1-1","type":"message","data":"1"}],"cursor":"1-1"})"
               "\n",
               "one event");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testNothing), cmocka_unit_test(testEvents), cmocka_unit_test(testIds),
        cmocka_unit_test(testMany),    cmocka_unit_test(testGap),    cmocka_unit_test(testFull),
        cmocka_unit_test(testCuts),    cmocka_unit_test(testLong),   cmocka_unit_test(testUnfinished),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
