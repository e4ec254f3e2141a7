// Events out of a published event stream, however it is cut, and what is refused.
#include "sse/parse.hpp"

#include "pieces.hpp"
#include "random_event.hpp"
#include "reference.hpp"
#include "sse/encode.hpp"

using sse::Event;
using sse::EventParser;
using sse::ParserOptions;
using sse::ParseStatus;

namespace {

struct Result {
    ParseStatus status = ParseStatus::Ok;
    std::vector<RandomEvent> events;
    uint64_t replaced = 0;
};

Result parse(const Pieces& pieces, size_t maxEvent = 1000, const ParserOptions& options = {}) {
    Result result;
    EventParser parser(maxEvent, options);
    auto sink = [&](const Event& event) {
        result.events.push_back({std::string(event.type), std::string(event.data),
                                 std::string(event.publisherId), event.retryMilliseconds});
        return true;
    };
    for (std::string_view piece : pieces) {
        const Exact exact(piece);
        result.status = parser.feed(exact.view(), sink);
        result.replaced = parser.replaced();
        if (result.status != ParseStatus::Ok) {
            return result;
        }
    }
    result.status = parser.finish();
    result.replaced = parser.replaced();
    return result;
}

// The events in one text: type, data, id and retry of each.
std::string summary(const Result& result) {
    std::string text;
    for (const RandomEvent& event : result.events) {
        text += "[" + event.type + "|" + event.data + "|" + event.publisherId + "|" +
                std::to_string(event.retry) + "]";
    }
    return text;
}

struct Case {
    std::string_view text;
    ParseStatus status;
    std::string_view events;
};

void assertCase(const Case& c, size_t maxEvent = 1000, const ParserOptions& options = {}) {
    everyCut(c.text, [&](const Pieces& pieces) {
        const Result result = parse(pieces, maxEvent, options);
        assertText(summary(result), c.events, readable(pieces));
        if (result.status != c.status) {
            fail_msg("%s: status %d instead of %d", readable(pieces).c_str(), static_cast<int>(result.status),
                     static_cast<int>(c.status));
        }
    });
}

void testFields(void**) {
    const Case cases[] = {
        {"", ParseStatus::Ok, ""},
        {"data: a\n\n", ParseStatus::Ok, "[|a||0]"},
        {"data:a\n\n", ParseStatus::Ok, "[|a||0]"},
        {"data:  a \n\n", ParseStatus::Ok, "[| a ||0]"},
        {"data:\ta\n\n", ParseStatus::Ok, "[|\ta||0]"},
        {"data\n\n", ParseStatus::Ok, "[|||0]"},
        {"data:\n\n", ParseStatus::Ok, "[|||0]"},
        {"data: \n\n", ParseStatus::Ok, "[|||0]"},
        {"data\ndata\n\n", ParseStatus::Ok, "[|\n||0]"},
        {"data: a\ndata: b\n\n", ParseStatus::Ok, "[|a\nb||0]"},
        {"data:\ndata: b\ndata:\n\n", ParseStatus::Ok, "[|\nb\n||0]"},
        {"data: a:b: c\n\n", ParseStatus::Ok, "[|a:b: c||0]"},
        {"data: a\0b\n\n"sv, ParseStatus::Ok, "[|a\0b||0]"sv},
        {"data: a\u2028b\u0085c\vd\n\n", ParseStatus::Ok, "[|a\u2028b\u0085c\vd||0]"},
        {"event: e\ndata: a\n\n", ParseStatus::Ok, "[e|a||0]"},
        {"event: e\nevent: f\ndata: a\n\n", ParseStatus::Ok, "[f|a||0]"},
        {"event: e\nevent\ndata: a\n\n", ParseStatus::Ok, "[|a||0]"},
        {"id: 7\ndata: a\n\n", ParseStatus::Ok, "[|a|7|0]"},
        {"id: 7\nid:\ndata: a\n\n", ParseStatus::Ok, "[|a||0]"},
        {"retry: 500\ndata: a\n\n", ParseStatus::Ok, "[|a||500]"},
        {"retry: 0\ndata: a\n\n", ParseStatus::Ok, "[|a||250]"},
        {"retry: 99999999999\ndata: a\n\n", ParseStatus::Ok, "[|a||3600000]"},
        {"retry: 1s\ndata: a\n\n", ParseStatus::Ok, "[|a||0]"},
        {"retry: 500\nretry: x\ndata: a\n\n", ParseStatus::Ok, "[|a||500]"},
        {"retry\ndata: a\n\n", ParseStatus::Ok, "[|a||0]"},
        {"data: a\ndata", ParseStatus::Incomplete, ""},
        {"data: a\nevent\nid\n\n", ParseStatus::Ok, "[|a||0]"},
        {"data:\rdata: \r\n\r\n", ParseStatus::Ok, "[|\n||0]"},
        {":\ndata: a\n: data: b\n\n", ParseStatus::Ok, "[|a||0]"},
        {"Data: x\ndata : y\n data: z\ndatax: q\nda\0ta: n\ndata: a\n\n"sv, ParseStatus::Ok, "[|a||0]"},
        {"data: a\n\n\n\n:\n\ndata: b\n\n", ParseStatus::Ok, "[|a||0][|b||0]"},
        {"data: a\r\rdata: b\r\n\r\ndata: c\n\r", ParseStatus::Ok, "[|a||0][|b||0][|c||0]"},
    };
    for (const Case& c : cases) {
        assertCase(c);
    }
}

void testAnEventTakesNothingFromTheOneBefore(void**) {
    assertCase(
        {"id: 7\nevent: e\nretry: 500\ndata: a\n\ndata: b\n\n", ParseStatus::Ok, "[e|a|7|500][|b||0]"});
    assertCase({"id: 7\nevent: e\nretry: 500\n\ndata: b\n\n", ParseStatus::Ok, "[|b||0]"});
}

// Whatever an id is, the event is not lost.
void testForeignIds(void**) {
    const Case cases[] = {
        {"id: urn:uuid:1\ndata: a\n\n", ParseStatus::Ok, "[|a|urn%3Auuid%3A1|0]"},
        {"data: a\nid:{\"n\": 1}\n\n", ParseStatus::Ok, "[|a|%7B%22n%22%3A%201%7D|0]"},
        {"id: 1-2\ndata: a\n\n", ParseStatus::Ok, "[|a|1%2D2|0]"},
        {"id:  a%\ndata: a\n\n", ParseStatus::Ok, "[|a|%20a%25|0]"},
        {"id: \u00e9\xff\x01\ndata: a\n\n", ParseStatus::Ok, "[|a|%C3%A9%FF%01|0]"},
        {"id: a\nid: b\ndata: a\n\n", ParseStatus::Ok, "[|a|b|0]"},
        // One with a NUL is ignored, as the standard says: the one before it counts.
        {"id: a\0\ndata: a\n\n"sv, ParseStatus::Ok, "[|a||0]"},
        {"id: a\nid: \0b\ndata: a\n\n"sv, ParseStatus::Ok, "[|a|a|0]"},
        {"id: a\nid\ndata: a\n\n", ParseStatus::Ok, "[|a||0]"},
        {"id: a\0b\n"sv, ParseStatus::Incomplete, ""},
    };
    for (const Case& c : cases) {
        assertCase(c);
    }
    const auto withId = [](const std::string& id) {
        const std::string text = "id: first\nid: " + id + "\ndata: a\n\n";
        const Result result = parse({text});
        assert_int_equal(result.status, ParseStatus::Ok);
        return result.events.at(0).publisherId;
    };
    assertText(withId(std::string(86, 'x')), std::string(86, 'x'), "the longest");
    assertText(withId(std::string(87, 'x')), "", "too long");
    assertText(withId(std::string(28, ':') + "xx"), std::string(withId(std::string(28, ':'))) + "xx",
               "escaped");
    assertText(withId(std::string(29, ':')), "", "too long when it is escaped");
    for (size_t length : {128, 129, 300, 100000}) {
        assertText(withId(std::string(length, 'x')), "", std::to_string(length));
        assertText(withId(std::string(length, 'x') + std::string(1, '\0')), "first", "ignored");
    }
    assertCase({"id: 1\nid: \xff\ndata: a\n\nid\n\n", ParseStatus::Ok, "[|a||0]"}, 10, {.ignoreIds = true});
}

void testBom(void**) {
    assertCase({"\ufeffdata: a\n\n", ParseStatus::Ok, "[|a||0]"});
    assertCase({"\ufeff\ufeffdata: a\n\ndata: b\n\n", ParseStatus::Ok, "[|b||0]"});
    assertCase({"data: a\n\n\ufeffdata: b\n\n", ParseStatus::Ok, "[|a||0]"});
    assertCase({"data: \ufeffa\n\n", ParseStatus::Ok, "[|\ufeffa||0]"});
    assertCase({"\ufeff", ParseStatus::Ok, ""});
    assertCase({"\xef\xbb", ParseStatus::Incomplete, ""});
    assertCase({"\xef\xbb\ndata: a\n\n", ParseStatus::Ok, "[|a||0]"});
    assertCase({"\xef\n\ndata: a\n\n", ParseStatus::Ok, "[|a||0]"});
    assertCase({"\n\ufeffdata: a\n\ndata: b\n\n", ParseStatus::Ok, "[|b||0]"});
    assertCase({"\ufeff\ndata: a\n\n", ParseStatus::Ok, "[|a||0]"});
}

void testRefused(void**) {
    const Case cases[] = {
        {"event:  e\ndata: a\n\n", ParseStatus::BadType, ""},
        {"event: a\tb\ndata: a\n\n", ParseStatus::BadType, ""},
        {"event: a\0b\ndata: a\n\n"sv, ParseStatus::BadType, ""},
        {"data: a\xff\n\n", ParseStatus::BadUtf8, ""},
        {"data: a\xe2\x80\ndata: \xa8\n\n", ParseStatus::BadUtf8, ""},
        {"data: \xff", ParseStatus::BadUtf8, ""},
        {"event: \xed\xa0\x80\n", ParseStatus::BadUtf8, ""},
        {"data: a\n\ndata: b\nevent: \x01\n\n", ParseStatus::BadType, "[|a||0]"},
    };
    for (const Case& c : cases) {
        assertCase(c);
    }
    assertCase({"event: 123456789012345678901234567890", ParseStatus::Incomplete, ""});
    const std::string type = "event: " + std::string(129, 'a') + "\n";
    assert_int_equal(parse({type}).status, ParseStatus::BadType);
}

// Without a blank line there is no event, and the publisher is told.
void testIncomplete(void**) {
    const Case cases[] = {
        {"data: a", ParseStatus::Incomplete, ""},
        {"data: a\n", ParseStatus::Incomplete, ""},
        {"data: a\r", ParseStatus::Incomplete, ""},
        {"data: a\r\n", ParseStatus::Incomplete, ""},
        {"data: a\r\n\r", ParseStatus::Ok, "[|a||0]"},
        {"data: a\n:\n", ParseStatus::Incomplete, ""},
        {"data: a\n\nevent: e", ParseStatus::Incomplete, "[|a||0]"},
        {"data: a\n\nid: 1\n", ParseStatus::Incomplete, "[|a||0]"},
        {"data: a\n\n: the end", ParseStatus::Ok, "[|a||0]"},
        {"data: a\n\n:\n", ParseStatus::Ok, "[|a||0]"},
        {"data: a\n\nid: 1\n\n", ParseStatus::Ok, "[|a||0]"},
    };
    for (const Case& c : cases) {
        assertCase(c);
    }
}

// The limit counts the bytes of the data, whatever is around them.
void testLimit(void**) {
    const struct {
        std::string_view before; // "@" stands for data of any length
        std::string_view joined; // what there is of it besides
    } framings[] = {
        {"data: @\n\n", ""},
        {"data:@\n\n", ""},
        {"data: @\r\n\r\n", ""},
        {"data:@\r\r", ""},
        {"\ufeffdata: @\n\n", ""},
        {"\ufeffdata:@\r\n\r\n", ""},
        {"event: update\nid: 1\nretry: 1000\ndata: @\n\n", ""},
        {":a comment\n\ndata: @\n:another\n\n", ""},
        {"data: b\ndata: @\n\n", "b\n"},
        {"data: @\ndata: b\n\n", "\nb"},
        {"data\ndata:@\ndata\n\n", "\n\n"},
    };
    constexpr size_t kLimit = 12;
    for (const auto& framing : framings) {
        for (size_t length = kLimit - 1; length <= kLimit + 1; ++length) {
            const std::string value(length - framing.joined.size(), 'x');
            std::string text(framing.before);
            text.replace(text.find('@'), 1, value);
            everyCut(text, [&](const Pieces& pieces) {
                const Result result = parse(pieces, kLimit);
                const bool fits = length <= kLimit;
                if (result.status != (fits ? ParseStatus::Ok : ParseStatus::TooLong) ||
                    result.events.size() != (fits ? 1 : 0)) {
                    fail_msg("%s: status %d", readable(pieces).c_str(), static_cast<int>(result.status));
                }
                assert_true(!fits || result.events[0].data.size() == length);
            });
        }
    }
    assertCase({"data\ndata\ndata\n\n", ParseStatus::Ok, "[|\n\n||0]"}, 2);
    assertCase({"data\ndata\ndata\ndata\n\n", ParseStatus::TooLong, ""}, 2);
    assertCase({"data: 12345678\n\ndata: 12345678\n\n", ParseStatus::Ok, "[|12345678||0][|12345678||0]"}, 8);
}

// What is skipped is not measured, and need not be text.
void testSkippedLines(void**) {
    const std::string_view starts[] = {":", ": ", "unknown", "unknown: ", "datax:", "\xff", ":\xc0\x80"};
    for (std::string_view start : starts) {
        const std::string line = std::string(start) + std::string(40, 'x');
        const std::string text = "data: 1\n" + line + "\ndata: 2\r" + line + "\r\n\n";
        assertCase({text, ParseStatus::Ok, "[|1\n2||0]"}, 3);
    }
    const std::string megabyte(1 << 20, 'x');
    EventParser parser(100);
    auto sink = [](const Event& event) { return event.data == "1"; };
    for (std::string_view start : starts) {
        for (std::string_view piece : {start, std::string_view(megabyte), "\ndata: 1\n"sv, "\n"sv}) {
            assert_int_equal(parser.feed(piece, sink), ParseStatus::Ok);
            assert_true(parser.held() <= 100);
        }
    }
    assert_int_equal(parser.feed(megabyte, sink), ParseStatus::Ok);
    assert_int_equal(parser.feed(megabyte, sink), ParseStatus::Ok);
    assert_true(parser.inEvent() && parser.held() <= 100);
    assert_int_equal(parser.finish(), ParseStatus::Incomplete);
}

// Memory: never more than the data of an event, and none once it is asked back between events.
void testMemory(void**) {
    for (size_t limit : {100, 1000, 100000}) {
        for (size_t piece : {1, 1000}) {
            EventParser parser(limit);
            auto sink = [&](const Event& event) { return event.data.size() == limit; };
            assert_int_equal(parser.held(), 0);
            assert_int_equal(parser.feed("event: e\nid: 1\ndata: ", sink), ParseStatus::Ok);
            for (size_t size = 0; size < limit; size += piece) {
                const std::string text(std::min(piece, limit - size), 'x');
                assert_int_equal(parser.feed(text, sink), ParseStatus::Ok);
                parser.release();
                assert_true(parser.held() >= size && parser.held() <= limit);
            }
            assert_int_equal(parser.feed("\n\n", sink), ParseStatus::Ok);
            parser.release();
            assert_int_equal(parser.held(), 0);
            assert_false(parser.inEvent());
        }
    }
}

// Text that is not UTF-8 is repaired where that is asked for, counted, and measured as it is then.
void testRepair(void**) {
    const struct {
        Case c;
        uint64_t replaced;
    } cases[] = {
        {{"data: a\n\n", ParseStatus::Ok, "[|a||0]"}, 0},
        {{"data: a\xffz\n\n", ParseStatus::Ok, "[|a\ufffdz||0]"}, 1},
        {{"data: \xe2\x82\n\n", ParseStatus::Ok, "[|\ufffd||0]"}, 1},
        {{"data: \xe2\x82\ndata: \xac\r\n\r\n", ParseStatus::Ok, "[|\ufffd\n\ufffd||0]"}, 2},
        {{"data: \u00e9\ndata: \xff\ndata: z\n\n", ParseStatus::Ok, "[|\u00e9\n\ufffd\nz||0]"}, 1},
        {{"data: \xff\n\ndata: \xc0\x80\n\n", ParseStatus::Ok, "[|\ufffd||0][|\ufffd\ufffd||0]"}, 3},
        {{"event: a\xed\xa0\x80\ndata: b\n\n", ParseStatus::Ok, "[a\ufffd\ufffd\ufffd|b||0]"}, 3},
        {{"id: \xff\n:\xff\nx\xff: \xff\ndata: b\n\n", ParseStatus::Ok, "[|b|%FF|0]"}, 0},
        {{"event: \x01\xff\ndata: b\n\n", ParseStatus::BadType, ""}, 0},
        {{"data: \xff", ParseStatus::Incomplete, ""}, 1},
        // What has grown beyond the limit.
        {{"data: 123456\xff\n\n", ParseStatus::Ok, "[|123456\ufffd||0]"}, 1},
        {{"data: 1234567\xff\n\n", ParseStatus::TooLong, ""}, 0},
        {{"data: 1\ndata: 23456\xff\n\n", ParseStatus::TooLong, ""}, 0},
        {{"data: \xff\xff\xff\n\n", ParseStatus::Ok, "[|\ufffd\ufffd\ufffd||0]"}, 3},
        {{"data: \xff\xff\xff\xff\n\n", ParseStatus::TooLong, ""}, 0},
    };
    for (const auto& [c, replaced] : cases) {
        assertCase(c, 9, {.repair = true});
        assert_int_equal(parse({c.text}, 9, {.repair = true}).replaced, replaced);
    }
    const std::string type = "event: " + std::string(126, 'a') + "\xff\n";
    assert_int_equal(parse({type}, 10, {.repair = true}).status, ParseStatus::BadType);
}

void testSinkStops(void**) {
    everyCut("data: a\n\ndata: b\n\ndata: c\n\n", [](const Pieces& pieces) {
        EventParser parser(100);
        std::string seen;
        auto sink = [&](const Event& event) {
            seen += event.data;
            return event.data != "b";
        };
        ParseStatus status = ParseStatus::Ok;
        for (auto piece = pieces.begin(); piece != pieces.end() && status == ParseStatus::Ok; ++piece) {
            status = parser.feed(*piece, sink);
        }
        assert_int_equal(status, ParseStatus::Stopped);
        assertText(seen, "ab", readable(pieces));
    });
}

void testEventIsHandedOutAtOnce(void**) {
    EventParser parser(100);
    int events = 0;
    auto sink = [&](const Event&) {
        ++events;
        return true;
    };
    const struct {
        std::string_view piece;
        int events;
        bool inEvent;
    } steps[] = {
        {"", 0, false},       {":", 0, true},   {"\n", 0, false},    {"dat", 0, true},
        {"a: x", 0, true},    {"\r", 0, true},  {"\r", 1, false},    {"\n", 1, false},
        {"id: 1\n", 1, true}, {"\n", 1, false}, {"data\n", 1, true}, {"\n", 2, false},
    };
    for (const auto& step : steps) {
        assert_int_equal(parser.feed(step.piece, sink), ParseStatus::Ok);
        assert_int_equal(events, step.events);
        assert_int_equal(parser.inEvent(), step.inEvent);
    }
    assert_int_equal(parser.finish(), ParseStatus::Ok);
}

std::string encode(const RandomEvent& event) {
    const Event e{event.type, event.data, event.publisherId, event.retry};
    std::string out(encodedSize(e), '?');
    encodeFields(e, out.data());
    return out;
}

// What the encoder writes comes back, from a stream in random pieces.
void testRoundTrip(void**) {
    RandomEvents random(2);
    std::string stream;
    std::vector<RandomEvent> published;
    for (int i = 0; i < 10000; ++i) {
        published.push_back(random.next());
        const RandomEvent& event = published.back();
        stream += (event.publisherId.empty() ? "" : "id: " + event.publisherId + "\n") + encode(event);
    }
    Pieces pieces;
    for (size_t at = 0; at < stream.size();) {
        const size_t length = 1 + random.below(random.below(5) == 0 ? 500 : 10);
        pieces.push_back(std::string_view(stream).substr(at, length));
        at += length;
    }
    const Result result = parse(pieces);
    assert_int_equal(result.status, ParseStatus::Ok);
    assert_int_equal(result.events.size(), published.size());
    for (size_t i = 0; i < published.size(); ++i) {
        const std::string where = "event " + std::to_string(i);
        assertText(result.events[i].type, published[i].type, where);
        assertText(result.events[i].data, withLf(published[i].data), where);
        assertText(result.events[i].publisherId, sse::escapePublisherId(published[i].publisherId).view(),
                   where);
        assert_int_equal(result.events[i].retry, published[i].retry);
    }
}

// Any stream of field-like lines gives the events that the reference parser sees, as long as nothing is
// refused.
void testAgainstReference(void**) {
    static constexpr std::string_view kWords[] = {
        "data", "data:", "data: ", "event: e", "event", "id: 1",  "retry: 7", ":",        " ",
        "\n",   "\r",    "\r\n",   "\n\n",     "x",     "\ufeff", "\0"sv,     "unknown: "};
    RandomEvents random(3);
    size_t compared = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string stream;
        for (uint32_t words = random.below(30); words > 0; --words) {
            stream += kWords[random.below(std::size(kWords))];
        }
        const Result result = parse({stream});
        const ReferenceParser reference(stream);
        if (result.status != ParseStatus::Ok && result.status != ParseStatus::Incomplete) {
            continue;
        }
        ++compared;
        assert_int_equal(result.events.size(), reference.events().size());
        for (size_t i = 0; i < result.events.size(); ++i) {
            const std::string& type = result.events[i].type;
            assertText(result.events[i].data, reference.events()[i].data, readable(stream));
            assertText(type.empty() ? "message" : type, reference.events()[i].type, readable(stream));
        }
    }
    assert_true(compared > 5000);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testFields),     cmocka_unit_test(testAnEventTakesNothingFromTheOneBefore),
        cmocka_unit_test(testForeignIds), cmocka_unit_test(testBom),
        cmocka_unit_test(testRefused),    cmocka_unit_test(testIncomplete),
        cmocka_unit_test(testLimit),      cmocka_unit_test(testSkippedLines),
        cmocka_unit_test(testRepair),     cmocka_unit_test(testMemory),
        cmocka_unit_test(testSinkStops),  cmocka_unit_test(testEventIsHandedOutAtOnce),
        cmocka_unit_test(testRoundTrip),  cmocka_unit_test(testAgainstReference),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
