// Bytes of a publisher become staged events, however they are cut, and what is refused.
#include "publish/intake.hpp"

#include "pieces.hpp"
#include "taken.hpp"

using sse::Intake;
using sse::Refusal;
using Framing = sse::Intake::Framing;

namespace {

constexpr Framing kFramings[] = {Framing::Event, Framing::Lines, Framing::Ndjson, Framing::Sse};

Intake::Options options(Framing framing) {
    return {.framing = framing, .maxData = 1000};
}

Refusal feedAll(Intake& intake, const Pieces& pieces) {
    for (std::string_view piece : pieces) {
        const Exact exact(piece);
        if (const Refusal refusal = intake.feed(exact.view()); refusal != Refusal::None) {
            return refusal;
        }
    }
    return intake.finish();
}

struct Case {
    std::string_view text;
    Refusal refusal;
    std::string_view events; // as Taken::text() has them
};

void assertTaken(const Taken& taken, Refusal refusal, const Case& c, const std::string& where) {
    assertText(taken.text(), c.events, where);
    assert_int_equal(taken.intake.accepted(), taken.events.size());
    if (refusal != c.refusal) {
        fail_msg("%s: refusal %d instead of %d", where.c_str(), static_cast<int>(refusal),
                 static_cast<int>(c.refusal));
    }
}

void assertCase(const Case& c, const Intake::Options& options, size_t maxRendered = 2000) {
    everyCut(c.text, [&](const Pieces& pieces) {
        Taken taken(options, maxRendered);
        const Refusal refusal = feedAll(taken.intake, pieces);
        assertTaken(taken, refusal, c, readable(pieces));
    });
}

void testEvent(void**) {
    const Case cases[] = {
        {"", Refusal::None, "data: \n\n"},
        {"a", Refusal::None, "data: a\n\n"},
        {"a\n", Refusal::None, "data: a\ndata: \n\n"},
        {"a\r\nb\rc", Refusal::None, "data: a\ndata: b\ndata: c\n\n"},
        {"id: 7\n\ndata: x", Refusal::None, "data: id: 7\ndata: \ndata: data: x\n\n"},
        {"\ufeffa", Refusal::None, "data: a\n\n"},
        {"\ufeff", Refusal::None, "data: \n\n"},
        {"\ufeff\ufeff", Refusal::None, "data: \ufeff\n\n"},
        {"a\0b"sv, Refusal::None, "data: a\0b\n\n"sv},
        {"\U0001f600", Refusal::None, "data: \U0001f600\n\n"},
        {"\xef\xbb", Refusal::BadUtf8, ""},
        {"a\xff", Refusal::BadUtf8, ""},
    };
    for (const Case& c : cases) {
        assertCase(c, options(Framing::Event));
    }
}

void testLines(void**) {
    const Case cases[] = {
        {"", Refusal::None, ""},
        {"a", Refusal::None, "data: a\n\n"},
        {"a\n", Refusal::None, "data: a\n\n"},
        {"a\r\n\rb\n", Refusal::None, "data: a\n\ndata: \n\ndata: b\n\n"},
        {"\ufeffa\n\ufeff", Refusal::None, "data: a\n\ndata: \ufeff\n\n"},
        {"id: 7\n\n", Refusal::None, "data: id: 7\n\ndata: \n\n"},
        {"a\n\xff\nb\n", Refusal::BadUtf8, "data: a\n\n"},
        {"a\nb\n\xe2\x82", Refusal::BadUtf8, "data: a\n\ndata: b\n\n"},
    };
    for (const Case& c : cases) {
        assertCase(c, options(Framing::Lines));
    }
}

void testNdjson(void**) {
    const Case cases[] = {
        {"", Refusal::None, ""},
        {"\n\r\r\n\n", Refusal::None, ""},
        {"{}\n\n[1]\r\n\"\u20ac\"", Refusal::None, "data: {}\n\ndata: [1]\n\ndata: \"\u20ac\"\n\n"},
        {"{}\n \n", Refusal::None, "data: {}\n\ndata:  \n\n"},
        {"1\n\n\xc0\x80\n", Refusal::BadUtf8, "data: 1\n\n"},
    };
    for (const Case& c : cases) {
        assertCase(c, options(Framing::Ndjson));
    }
}

void testSse(void**) {
    const Case cases[] = {
        {"", Refusal::None, ""},
        {"data: a\ndata: b\r\n\r\n", Refusal::None, "data: a\ndata: b\n\n"},
        {"event: e\nid: 1-2\ndata: a\n\ndata\n\n", Refusal::None,
         "id: ~1%2D2\nevent: e\ndata: a\n\ndata: \n\n"},
        {"retry: 9\ndata: a\n\n:c\n\n", Refusal::None, "retry: 250\ndata: a\n\n"},
        {"data: a\n\ndata: b\n", Refusal::IncompleteEvent, "data: a\n\n"},
        {"data: a\n\ndata: \xff\n\n", Refusal::BadUtf8, "data: a\n\n"},
        {"data: a\n\nevent: \x01\n\n", Refusal::BadType, "data: a\n\n"},
        {"data: a\n\nevent: own\ndata: b\n\ndata: c\n\n", Refusal::ReservedType, "data: a\n\n"},
        {"event: own\n\ndata: a\n\n", Refusal::None, "data: a\n\n"}, // without data there is no event
    };
    for (const Case& c : cases) {
        assertCase(c, options(Framing::Sse));
    }
    Intake::Options ignoring = options(Framing::Sse);
    ignoring.ignoreIds = true;
    assertCase({"id: 7\ndata: a\n\n", Refusal::None, "data: a\n\n"}, ignoring);
}

// All events at once, in the end, or none. They may take so much, each with its fields and a record.
void testBatch(void**) {
    const struct {
        Framing framing;
        Case c;
    } cases[] = {
        {Framing::Lines, {"", Refusal::None, ""}},
        {Framing::Lines, {"1\n2\n3", Refusal::None, "data: 1\n\ndata: 2\n\ndata: 3\n\n"}},
        {Framing::Lines, {"1\n2\n\xff", Refusal::BadUtf8, ""}},
        {Framing::Lines, {"1\n2\n3\n4\n", Refusal::BatchTooLarge, ""}},
        {Framing::Ndjson, {"1\n\n2\n", Refusal::None, "data: 1\n\ndata: 2\n\n"}},
        {Framing::Sse, {"data: 1\n\ndata: 2\n", Refusal::IncompleteEvent, ""}},
        {Framing::Sse, {"data: 1\n\nevent: own\ndata: 2\n\n", Refusal::ReservedType, ""}},
    };
    for (const auto& [framing, c] : cases) {
        Intake::Options batch = options(framing);
        batch.maxBatch = 1000;
        everyCut(c.text, [&, &c = c](const Pieces& pieces) {
            Taken taken(batch);
            const Refusal refusal = feedAll(taken.intake, pieces);
            assertText(taken.text(), c.events, readable(pieces));
            assert_int_equal(static_cast<int>(refusal), static_cast<int>(c.refusal));
            assert_int_equal(taken.sizes.size(), c.events.empty() ? 0 : 1);
        });
    }
}

// What is kept for the end is not given up between two pieces.
void testBatchIsKept(void**) {
    Intake::Options batch = options(Framing::Lines);
    batch.maxBatch = 1000;
    Taken taken(batch);
    assert_true(taken.intake.feed("1\n2\n") == Refusal::None);
    taken.intake.release();
    assert_true(taken.intake.held() != 0 && taken.events.empty());
    assert_true(taken.intake.finish() == Refusal::None);
    assert_int_equal(taken.events.size(), 2);
    taken.intake.discard();
    assert_int_equal(taken.intake.held(), 0);
}

// The data of an event: as much as may be, and one byte more. A byte order mark at the start does not count.
void testMaxData(void**) {
    const auto tooLarge = Refusal::EventTooLarge;
    const struct {
        Framing framing;
        Case c;
    } cases[] = {
        {Framing::Event, {"1234", Refusal::None, "data: 1234\n\n"}},
        {Framing::Event, {"\ufeff1234", Refusal::None, "data: 1234\n\n"}},
        {Framing::Event, {"12345", tooLarge, ""}},
        {Framing::Event, {"\ufeff12345", tooLarge, ""}},
        {Framing::Event, {"12345678", tooLarge, ""}},
        {Framing::Lines, {"1234\n1234", Refusal::None, "data: 1234\n\ndata: 1234\n\n"}},
        {Framing::Lines, {"\ufeff1234\n12345", tooLarge, "data: 1234\n\n"}},
        {Framing::Ndjson, {"1234\n\n12345\n1\n", tooLarge, "data: 1234\n\n"}},
        {Framing::Sse, {"data: 12\ndata: 3\n\n", Refusal::None, "data: 12\ndata: 3\n\n"}},
        {Framing::Sse, {"data: 1\n\ndata: 12\ndata: 34\n\n", tooLarge, "data: 1\n\n"}},
    };
    for (const auto& [framing, c] : cases) {
        Intake::Options small = options(framing);
        small.maxData = 4;
        assertCase(c, small);
    }
}

// What an event becomes: its publisher id and its fields together.
void testMaxRendered(void**) {
    const std::string_view text = "id: abc\ndata: 12345\n\n";
    const size_t size = "abc"sv.size() + "data: 12345\n\n"sv.size();
    assertCase({text, Refusal::None, "id: ~abc\ndata: 12345\n\n"}, options(Framing::Sse), size);
    assertCase({text, Refusal::EventTooLarge, ""}, options(Framing::Sse), size - 1);

    // Line ends in the data cost a field each.
    const std::string_view fields = "data: \ndata: \ndata: \n\n";
    assertCase({"\n\n", Refusal::None, fields}, options(Framing::Event), fields.size());
    assertCase({"\n\n\n", Refusal::EventTooLarge, ""}, options(Framing::Event), fields.size());
}

void testMaxEvents(void**) {
    for (const uint64_t most : {1, 2, 3}) {
        for (uint64_t count = 0; count <= 4; ++count) {
            for (Framing framing : {Framing::Lines, Framing::Ndjson, Framing::Sse}) {
                std::string text;
                std::string events;
                for (uint64_t i = 0; i < count; ++i) {
                    text += framing == Framing::Sse ? "data: x\n\n" : "x\n";
                    events += i < most ? "data: x\n\n" : "";
                }
                Intake::Options few = options(framing);
                few.maxEvents = most;
                assertCase({text, count > most ? Refusal::TooManyEvents : Refusal::None, events}, few);
            }
        }
    }
    Intake::Options one = options(Framing::Event);
    one.maxEvents = 1;
    assertCase({"a", Refusal::None, "data: a\n\n"}, one);
}

void testRepair(void**) {
    const struct {
        Framing framing;
        std::string_view text;
        std::string_view events;
    } cases[] = {
        {Framing::Event, "a\xff\nb\xc0", "data: a\ufffd\ndata: b\ufffd\n\n"},
        {Framing::Lines, "\xff\nx\n\xe2\x82\n", "data: \ufffd\n\ndata: x\n\ndata: \ufffd\n\n"},
        {Framing::Ndjson, "\xff\n\n\xff", "data: \ufffd\n\ndata: \ufffd\n\n"},
        {Framing::Sse, "event: e\xff\ndata: \xff\n\n", "event: e\ufffd\ndata: \ufffd\n\n"},
    };
    for (const auto& c : cases) {
        Intake::Options repairing = options(c.framing);
        repairing.repair = true;
        everyCut(c.text, [&](const Pieces& pieces) {
            Taken taken(repairing);
            assert_int_equal(feedAll(taken.intake, pieces), Refusal::None);
            assertText(taken.text(), c.events, readable(pieces));
            assert_int_equal(taken.intake.repaired(), 2);
        });
        // It is measured as it is then, three bytes for one.
        repairing.maxData = 2;
        Taken taken(repairing);
        assert_int_equal(feedAll(taken.intake, {c.text}), Refusal::EventTooLarge);
    }
}

// What the publisher says of all events counts for those that do not say it themselves.
void testDefaults(void**) {
    for (Framing framing : {Framing::Lines, Framing::Ndjson}) {
        Taken taken(options(framing));
        assert_int_equal(taken.intake.setType("price", false), Refusal::None);
        assert_int_equal(taken.intake.setRetry("3000"), Refusal::None);
        assert_int_equal(feedAll(taken.intake, {"1\n", "2"}), Refusal::None);
        assertText(taken.text(),
                   "event: price\nretry: 3000\ndata: 1\n\nevent: price\nretry: 3000\ndata: 2\n\n", "lines");
    }
    Taken stream(options(Framing::Sse));
    assert_int_equal(stream.intake.setType("price", false), Refusal::None);
    assert_int_equal(stream.intake.setRetry("3000"), Refusal::None);
    assert_int_equal(feedAll(stream.intake, {"event: e\ndata: 1\n\nretry: 500\ndata: 2\n\n"}), Refusal::None);
    assertText(stream.text(), "event: e\nretry: 3000\ndata: 1\n\nevent: price\nretry: 500\ndata: 2\n\n",
               "a stream");

    Taken one(options(Framing::Event));
    assert_int_equal(one.intake.setPublisherId("order-7"), Refusal::None);
    assert_int_equal(feedAll(one.intake, {"x"}), Refusal::None);
    assertText(one.text(), "id: ~order-7\ndata: x\n\n", "an id");
}

void testRefusedDefaults(void**) {
    for (Framing framing : kFramings) {
        Taken taken(options(framing));
        Intake& intake = taken.intake;
        for (std::string_view type : {"a\nb"sv, " a"sv, "\xff"sv, "\0"sv}) {
            assert_int_equal(intake.setType(type, true), Refusal::BadType);
        }
        assert_int_equal(intake.setType("own", false), Refusal::ReservedType);
        assert_int_equal(intake.setPublisherId("a b"), Refusal::BadPublisherId);
        assert_int_equal(intake.setPublisherId("1-2"), Refusal::BadPublisherId);
        assert_int_equal(intake.setPublisherId("a"),
                         framing == Framing::Event ? Refusal::None : Refusal::PublisherIdForMany);
        for (std::string_view retry : {"x", "-1", "1.5", " 1"}) {
            assert_int_equal(intake.setRetry(retry), Refusal::BadRetry);
        }
        // Empty is nothing, and who may give any type may give a reserved one.
        assert_int_equal(intake.setPublisherId(""), Refusal::None);
        assert_int_equal(intake.setRetry(""), Refusal::None);
        assert_int_equal(intake.setType("own", true), Refusal::None);
        assert_int_equal(feedAll(intake, {framing == Framing::Sse ? "data: x\n\n" : "x"}), Refusal::None);
        assertText(taken.text(), "event: own\ndata: x\n\n", "a reserved type");
    }
}

// Events are with their owner as soon as they are whole, not at the end of the body.
void testAtOnce(void**) {
    for (Framing framing : {Framing::Lines, Framing::Ndjson, Framing::Sse}) {
        Taken taken(options(framing));
        const std::string_view event = framing == Framing::Sse ? "data: x\n\n" : "x\n";
        for (size_t count = 1; count <= 3; ++count) {
            for (size_t at = 0; at < event.size(); ++at) {
                assert_int_equal(taken.events.size(), count - 1);
                assert_int_equal(taken.intake.isBetweenEvents(), at == 0);
                assert_int_equal(taken.intake.feed(event.substr(at, 1)), Refusal::None);
            }
            assert_int_equal(taken.events.size(), count);
        }
        assert_true(taken.intake.isStream());
    }
    assert_false(Taken(options(Framing::Event)).intake.isStream());
}

// A piece of many small events does not take memory for all of them.
void testHandedOnInTime(void**) {
    constexpr size_t kMost = 32 * 1024 + 100;
    Taken taken(options(Framing::Lines));
    assert_int_equal(taken.intake.feed(std::string(100'000, '\n')), Refusal::None);
    assert_int_equal(taken.events.size(), 100'000);
    assert_true(taken.sizes.size() > 10);
    for (const size_t size : taken.sizes) {
        assert_true(size > 0 && size <= kMost);
    }
    assert_true(taken.intake.held() <= 2 * kMost);
    taken.intake.release();
    assert_int_equal(taken.intake.held(), 0);
}

// What the owner does not want ends the intake, but a fault that came before counts.
void testOwnerRefuses(void**) {
    Taken taken(options(Framing::Lines));
    taken.answer = Refusal::Retired;
    assert_int_equal(taken.intake.feed("a\nb\n"), Refusal::Retired);
    assert_int_equal(taken.sizes.size(), 1);

    Taken faulty(options(Framing::Lines));
    faulty.answer = Refusal::Retired;
    assert_int_equal(faulty.intake.feed("a\n\xff\n"), Refusal::BadUtf8);
    assert_int_equal(faulty.events.size(), 1);

    Taken many(options(Framing::Lines));
    many.answer = Refusal::Retired;
    assert_int_equal(many.intake.feed(std::string(100'000, '\n')), Refusal::Retired);
    assert_int_equal(many.sizes.size(), 1);

    Taken last(options(Framing::Event));
    last.answer = Refusal::Retired;
    assert_int_equal(feedAll(last.intake, {"x"}), Refusal::Retired);
}

// Between two pieces: memory for an incomplete event, and for nothing else.
void testMemory(void**) {
    for (Framing framing : kFramings) {
        Taken taken(options(framing));
        Intake& intake = taken.intake;
        assert_int_equal(intake.held(), 0);
        for (int i = 0; i < 3 && framing != Framing::Event; ++i) {
            const std::string text(900, 'x');
            assert_int_equal(intake.feed("data: " + text), Refusal::None);
            intake.release();
            assert_true(intake.held() >= 900 && intake.held() <= 1000);
            assert_int_equal(intake.feed("\n\n"), Refusal::None);
            intake.release();
            assert_int_equal(intake.held(), 0);
        }
        assert_int_equal(intake.feed("data: x"), Refusal::None);
        intake.release();
        assert_true(intake.held() > 0 && intake.held() <= intake.maxBody());
        intake.discard();
        assert_int_equal(intake.held(), 0);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testEvent),        cmocka_unit_test(testLines),
        cmocka_unit_test(testNdjson),       cmocka_unit_test(testSse),
        cmocka_unit_test(testBatch),        cmocka_unit_test(testBatchIsKept),
        cmocka_unit_test(testMaxData),      cmocka_unit_test(testMaxRendered),
        cmocka_unit_test(testMaxEvents),    cmocka_unit_test(testRepair),
        cmocka_unit_test(testDefaults),     cmocka_unit_test(testRefusedDefaults),
        cmocka_unit_test(testAtOnce),       cmocka_unit_test(testHandedOnInTime),
        cmocka_unit_test(testOwnerRefuses), cmocka_unit_test(testMemory),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
