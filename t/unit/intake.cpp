// Bytes of a publisher become staged events, however they are cut, and what is refused.
#include "publish/intake.hpp"

#include <tuple>

#include "pieces.hpp"
#include "taken.hpp"

using sse::Intake;
using sse::Refusal;
using Framing = sse::Intake::Framing;

namespace {

constexpr Framing kFramings[] = {Framing::Event, Framing::Lines, Framing::Ndjson,
                                 Framing::Sse,   Framing::Form,  Framing::Json};

Intake::Options options(Framing framing) {
    return {.framing = framing, .maxData = 1000, .maxChannels = 3, .mayEnd = true};
}

// What encloses the data of an event. The last ends a line, an event or an object.
std::string_view startOf(Framing framing) {
    return framing == Framing::Sse    ? "data: "
           : framing == Framing::Form ? "data="
           : framing == Framing::Json ? R"({"data":")"
                                      : "";
}

std::string_view endOf(Framing framing) {
    return framing == Framing::Sse                                   ? "\n\n"
           : framing == Framing::Json                                ? R"("})"
           : framing == Framing::Lines || framing == Framing::Ndjson ? "\n"
                                                                     : "";
}

std::string eventOf(Framing framing, std::string_view data) {
    return std::string(startOf(framing)) + std::string(data) + std::string(endOf(framing));
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

Refusal refusalOf(Framing framing, const Pieces& pieces) {
    Taken taken(options(framing));
    return feedAll(taken.intake, pieces);
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
        {Framing::Json, {R"([{"data":1},{"data":2}])", Refusal::None, "data: 1\n\ndata: 2\n\n"}},
        {Framing::Json, {R"([{"data":1},{"data":2})", Refusal::BadJson, ""}},
        {Framing::Json, {R"({"data":1}{"dat":2})", Refusal::UnknownField, ""}},
        {Framing::Json, {R"({"data":1}{"data":2}{"data":3}{"data":4})", Refusal::BatchTooLarge, ""}},
    };
    for (const auto& [framing, c] : cases) {
        Intake::Options batch = options(framing);
        batch.maxBatch = 1000;
        batch.recordCost = 256;
        everyCut(c.text, [&, &c = c](const Pieces& pieces) {
            Taken taken(batch);
            const Refusal refusal = feedAll(taken.intake, pieces);
            assertText(taken.text(), c.events, readable(pieces));
            assert_int_equal(static_cast<int>(refusal), static_cast<int>(c.refusal));
            assert_int_equal(taken.sizes.size(), c.events.empty() ? 0 : 1);
        });
    }
}

void testForm(void**) {
    const Case cases[] = {
        {"data=a", Refusal::None, "data: a\n\n"},
        {"data=", Refusal::None, "data: \n\n"},
        {"data", Refusal::None, "data: \n\n"},
        {"data=a+b%20c%2B%26%3d%0d%0ad=e", Refusal::None, "data: a b c+&=\ndata: d=e\n\n"},
        {"%64at%61=a", Refusal::None, "data: a\n\n"},
        {"data=%e2%82%ac\u20ac", Refusal::None, "data: \u20ac\u20ac\n\n"},
        {"data=100%", Refusal::None, "data: 100%\n\n"},
        {"data=%4%41%%zz%4+%", Refusal::None, "data: %4A%%zz%4 %\n\n"},
        {"data=%4&event=%e", Refusal::None, "event: %e\ndata: %4\n\n"},
        {"&&event=e&&data=a&", Refusal::None, "event: e\ndata: a\n\n"},
        {"id=urn:1&data=a&retry=500&event=e", Refusal::None,
         "id: ~urn%3A1\nevent: e\nretry: 500\ndata: a\n\n"},
        {"id=&data=a&retry=&event=", Refusal::None, "data: a\n\n"},
        {"data=a&channel=x&channel=y+z&channel=x", Refusal::None, "to: x,y z\ndata: a\n\n"},
        {"data=a&end", Refusal::None, "ends\ndata: a\n\n"},
        {"data=a&end=1", Refusal::None, "ends\ndata: a\n\n"},
        {"data=a&end=true", Refusal::None, "ends\ndata: a\n\n"},
        {"data=a&end=0", Refusal::None, "data: a\n\n"},
        {"data=a&end=false", Refusal::None, "data: a\n\n"},
        {"\ufeffdata=\ufeffa", Refusal::None, "data: \ufeffa\n\n"},
        {"data=a%00b", Refusal::None, "data: a\0b\n\n"sv},
        {"", Refusal::NoData, ""},
        {"event=e", Refusal::NoData, ""},
    };
    for (const Case& c : cases) {
        assertCase(c, options(Framing::Form));
    }
}

void testJson(void**) {
    const Case cases[] = {
        {"", Refusal::None, ""},
        {" \n", Refusal::None, ""},
        {"[]", Refusal::None, ""},
        {R"({"data":"a"})", Refusal::None, "data: a\n\n"},
        {R"([{"data":"a"}, {"data":"b"}])", Refusal::None, "data: a\n\ndata: b\n\n"},
        {"{\"data\":1}\n[{\"data\":2}][]{\"data\":3}", Refusal::None, "data: 1\n\ndata: 2\n\ndata: 3\n\n"},
        {R"({"d\u0061ta":"\"\u20ac\n\ud83d\ude00\u0000"})", Refusal::None,
         "data: \"\u20ac\ndata: \U0001f600\0\n\n"sv},
        {R"({"data":""})", Refusal::None, "data: \n\n"},
        {R"({"data":{"a" : [1,"\u00e9"]} })", Refusal::None, "data: {\"a\" : [1,\"\\u00e9\"]}\n\n"},
        {"{\"data\":[\n 1\n]}", Refusal::None, "data: [\ndata:  1\ndata: ]\n\n"},
        {R"({"data":[]}{"data":{}}{"data":-1.50}{"data":true}{"data":null})", Refusal::None,
         "data: []\n\ndata: {}\n\ndata: -1.50\n\ndata: true\n\ndata: null\n\n"},
        {R"({"data":"\ud800"})", Refusal::BadUtf8, ""},
        {R"({"data":["\ud800"]})", Refusal::None, "data: [\"\\ud800\"]\n\n"}, // as it stands
        {"{\"data\":[\"\xff\"]}", Refusal::BadUtf8, ""},
        {"\ufeff{\"data\":\"\ufeff\"}", Refusal::None, "data: \ufeff\n\n"},
        {R"({"event":"e","id":"urn:1","retry":500,"data":"a"})", Refusal::None,
         "id: ~urn%3A1\nevent: e\nretry: 500\ndata: a\n\n"},
        {R"({"id":-7,"retry":"500","data":"a"})", Refusal::None, "id: ~-7\nretry: 500\ndata: a\n\n"},
        {R"({"event":"","id":"","retry":"","data":"a"})", Refusal::None, "data: a\n\n"},
        {R"({"event":null,"id":null,"retry":null,"channel":null,"end":null,"data":"a"})", Refusal::None,
         "data: a\n\n"},
        {R"({"data":"a","channel":"x"})", Refusal::None, "to: x\ndata: a\n\n"},
        {R"({"channel":["x", "y\u0020z","x"],"data":"a"})", Refusal::None, "to: x,y z\ndata: a\n\n"},
        {R"([{"channel":["x"],"data":"a","id":1},{"data":"b"}])", Refusal::None,
         "to: x\nid: ~1\ndata: a\n\ndata: b\n\n"},
        {R"({"data":"a","end":true}{"data":"b","end":false})", Refusal::None, "ends\ndata: a\n\ndata: b\n\n"},
    };
    for (const Case& c : cases) {
        assertCase(c, options(Framing::Json));
    }
    Intake::Options ignoring = options(Framing::Json);
    ignoring.ignoreIds = true;
    assertCase({R"({"id":"\ud800","data":"a"})", Refusal::None, "data: a\n\n"}, ignoring);
}

// Every fault, and where it is. Envelopes before it are published.
void testPlaces(void**) {
    constexpr size_t kNowhere = SIZE_MAX;
    const struct {
        std::string_view text;
        Refusal refusal;
        std::string_view field; // empty: in none
        size_t at;              // kNowhere: at the end
    } cases[] = {
        {R"({"data":1,"dat":2})", Refusal::UnknownField, "dat", 10},
        {R"({"Data":1})", Refusal::UnknownField, "Data", 1},
        {R"({"data":1,"data":2})", Refusal::DuplicateField, "data", 10},
        {R"({"data":1,"channel":"x","channel":"y"})", Refusal::DuplicateField, "channel", 24},
        {R"({"id":null,"id":"a"})", Refusal::DuplicateField, "id", 11},
        {R"({})", Refusal::NoData, "", 1},
        {R"({"event":"e"})", Refusal::NoData, "", 12},
        {R"({"event":"a\nb","data":1})", Refusal::BadType, "event", 1},
        {R"({"event":" a"})", Refusal::BadType, "event", 1},
        {R"({"event":"\ud800"})", Refusal::BadType, "event", 1},
        {R"({"event":5})", Refusal::BadType, "event", 1},
        {R"({"event":true})", Refusal::BadType, "event", 1},
        {R"({"event":["e"]})", Refusal::BadType, "event", 1},
        {R"({"data":1,"event":"own:e"})", Refusal::ReservedType, "event", 10},
        {R"({"id":1.5})", Refusal::BadPublisherId, "id", 1},
        {R"({"id":1e5})", Refusal::BadPublisherId, "id", 1},
        {R"({"id":"\udc00"})", Refusal::BadPublisherId, "id", 1},
        {R"({"id":true})", Refusal::BadPublisherId, "id", 1},
        {R"({"id":{}})", Refusal::BadPublisherId, "id", 1},
        {R"({"retry":-1})", Refusal::BadRetry, "retry", 1},
        {R"({"retry":1e3})", Refusal::BadRetry, "retry", 1},
        {R"({"retry":"1s"})", Refusal::BadRetry, "retry", 1},
        {R"({"retry":false})", Refusal::BadRetry, "retry", 1},
        {R"({"channel":""})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":[]})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":["a",""]})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":["a",null]})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":[["a"]]})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":7})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":{"a":"b"}})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":"a\u0000"})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":"\ud800"})", Refusal::BadChannelName, "channel", 1},
        {R"({"channel":["a","b","c","d"]})", Refusal::TooManyChannels, "channel", 1},
        {R"({"data":1,"channel":["a","own"]})", Refusal::ForeignChannel, "channel", 10},
        {R"({"end":"true"})", Refusal::BadEnd, "end", 1},
        {R"({"end":1})", Refusal::BadEnd, "end", 1},
        {R"({"end":[]})", Refusal::BadEnd, "end", 1},
        {R"({"event":"e","data":"\ud800"})", Refusal::BadUtf8, "data", 13},
        {"5", Refusal::NotEnvelope, "", 0},
        {R"("a")", Refusal::NotEnvelope, "", 0},
        {"null", Refusal::NotEnvelope, "", 0},
        {"[[{}]]", Refusal::NotEnvelope, "", 1},
        {"[5]", Refusal::NotEnvelope, "", 1},
        {R"({"data":1)", Refusal::IncompleteEvent, "", kNowhere},
        {R"([{"data":1)", Refusal::IncompleteEvent, "", kNowhere},
        {"[", Refusal::BadJson, "", kNowhere},
        {"x", Refusal::BadJson, "", 0},
        {R"({"data":tru})", Refusal::BadJson, "", 11},
        {R"({"data":[1,]})", Refusal::BadJson, "", 11},
        {R"({data:1})", Refusal::BadJson, "", 1},
        {"{\"data\":\"a\nb\"}", Refusal::BadJson, "", 10},
    };
    const std::string_view before = R"([{"data":"a"}, {"data":"b"}])";
    for (const auto& c : cases) {
        for (const std::string& start : {std::string(), std::string(before), std::string(before) + "\n"}) {
            const std::string text = start + std::string(c.text);
            everyCut(text, [&](const Pieces& pieces) {
                Taken taken(options(Framing::Json));
                const Refusal refusal = feedAll(taken.intake, pieces);
                assertTaken(taken, refusal, {text, c.refusal, start.empty() ? "" : "data: a\n\ndata: b\n\n"},
                            readable(pieces));
                const auto& place = taken.intake.place();
                assert_true(place.has_value());
                assertText(place->field.value_or(""), c.field, readable(pieces));
                assert_int_equal(place->envelope.value_or(99), start.empty() ? 0 : 2);
                assert_int_equal(place->at, c.at == kNowhere ? text.size() : start.size() + c.at);
            });
        }
    }
    // What only the owner knows is no fault of the bytes.
    Taken taken(options(Framing::Json));
    taken.answer = Refusal::Retired;
    assert_int_equal(feedAll(taken.intake, {R"({"data":1})"}), Refusal::Retired);
    assert_false(taken.intake.place().has_value());
}

void testPlacesInForms(void**) {
    const struct {
        std::string_view text;
        Refusal refusal;
        std::string_view field;
        size_t at;
    } cases[] = {
        {"data=a&dat=b", Refusal::UnknownField, "dat", 7},
        {"=a", Refusal::UnknownField, "", 0},
        {"data=a&d%00=b", Refusal::UnknownField, "d\0"sv, 7},
        {"data=a&&data=b", Refusal::DuplicateField, "data", 8},
        {"event=%0a&data=a", Refusal::BadType, "event", 0},
        {"event=own&data=a", Refusal::ReservedType, "event", 0},
        {"id=%ff&data=a", Refusal::BadPublisherId, "id", 0},
        {"retry=x&data=a", Refusal::BadRetry, "retry", 0},
        {"data=a&channel=", Refusal::BadChannelName, "channel", 7},
        {"channel=a&channel=b&channel=c&channel=d", Refusal::TooManyChannels, "channel", 30},
        {"data=a&channel=a&channel=own", Refusal::ForeignChannel, "channel", 17},
        {"data=a&end=yes", Refusal::BadEnd, "end", 7},
        {"event=e&data=%ff", Refusal::BadUtf8, "data", 8},
    };
    for (const auto& c : cases) {
        everyCut(c.text, [&](const Pieces& pieces) {
            Taken taken(options(Framing::Form));
            const Refusal refusal = feedAll(taken.intake, pieces);
            assertTaken(taken, refusal, {c.text, c.refusal, ""}, readable(pieces));
            const auto& place = taken.intake.place();
            assert_true(place.has_value());
            assertText(place->field.value_or("none"), c.field, readable(pieces));
            assert_false(place->envelope.has_value());
            assert_int_equal(place->at, c.at);
        });
    }
}

// What each takes in the log counts, and how many they are.
void testLargestBatch(void**) {
    Intake::Options batch = options(Framing::Sse);
    const std::string_view text = "id: own\ndata: 1\n\nid: own\ndata: 2\n\n";
    const auto isTaken = [&](size_t bytes, uint64_t events) {
        batch.maxBatch = bytes;
        batch.maxBatchEvents = events;
        Taken taken(batch);
        const Refusal refusal = feedAll(taken.intake, {text});
        assert_true(refusal == (taken.events.empty() ? Refusal::BatchTooLarge : Refusal::None));
        return taken.events.size() == 2;
    };
    for (const size_t cost : {0, 100, 500}) {
        batch.recordCost = cost;
        size_t least = 1;
        while (!isTaken(least, 0)) {
            ++least;
        }
        assert_true(least >= 2 * (cost + 3 + 9) && least <= 2 * (cost + 3 + 9) + 16);
        assert_true(isTaken(least, 2));
        assert_false(isTaken(least, 1));
    }
}

// What is kept for the end is not given up between two pieces.
void testBatchIsKept(void**) {
    Intake::Options batch = options(Framing::Lines);
    batch.maxBatch = 1000;
    batch.recordCost = 256;
    Taken taken(batch);
    assert_true(taken.intake.feed("1\n2\n") == Refusal::None);
    taken.intake.release();
    assert_true(taken.intake.held() != 0 && taken.events.empty());
    assert_true(taken.intake.finish() == Refusal::None);
    assert_int_equal(taken.events.size(), 2);
    taken.intake.discard();
    assert_int_equal(taken.intake.held(), 0);
}

// Where an event may go, and who may end that.
void testChannels(void**) {
    Taken must(options(Framing::Json));
    must.usual = Refusal::NoChannel;
    assert_int_equal(feedAll(must.intake, {R"({"data":1,"channel":"x"}{"data":2})"}), Refusal::NoChannel);
    assertText(must.text(), "to: x\ndata: 1\n\n", "a channel of its own");
    assert_int_equal(must.intake.place()->at, 24);

    Intake::Options goesOn = options(Framing::Json);
    goesOn.mayEnd = false;
    Taken open(goesOn);
    assert_int_equal(feedAll(open.intake, {R"({"data":1,"end":false}{"data":2,"end":true})"}),
                     Refusal::EndNotAllowed);
    assertText(open.text(), "data: 1\n\n", "no end");
    assertText(open.intake.place()->field.value_or(""), "end", "the end");

    // A copy for each channel counts.
    Intake::Options few = options(Framing::Json);
    few.maxEvents = 3;
    const std::string_view two = R"({"data":1,"channel":["x","y"]})";
    assertCase({R"({"data":1,"channel":["x","y"]}{"data":2}{"data":3})", Refusal::TooManyEvents,
                "to: x,y\ndata: 1\n\ndata: 2\n\n"},
               few);
    Taken twice(few);
    assert_int_equal(feedAll(twice.intake, {two, two}), Refusal::TooManyEvents);
    assertText(twice.text(), "to: x,y\ndata: 1\n\n", "none of its copies");

    // So many as fit under one hold of the lock: as much as one event, or 32 KB.
    Intake::Options large = options(Framing::Json);
    large.maxData = 60'000;
    const auto to = [](size_t size, const char* channels) {
        return R"({"data":")" + std::string(size, 'x') + R"(","channel":[)" + channels + "]}";
    };
    for (const auto& [size, channels, refusal] :
         {std::tuple(30'000u, R"("a","b")", Refusal::None),
          std::tuple(30'001u, R"("a","b")", Refusal::TooLargeForChannels),
          std::tuple(20'000u, R"("a","b","c")", Refusal::None),
          std::tuple(20'001u, R"("a","b","c")", Refusal::TooLargeForChannels),
          std::tuple(60'000u, R"("a")", Refusal::None)}) {
        Taken taken(large, 100'000);
        assert_int_equal(feedAll(taken.intake, {to(size, channels)}), refusal);
        assert_int_equal(taken.events.size(), refusal == Refusal::None ? 1 : 0);
    }
    Taken small(options(Framing::Json));
    assert_int_equal(feedAll(small.intake, {to(1000, R"("a","b","c")")}), Refusal::None);
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
        {Framing::Form, {"data=%31%32%33%34", Refusal::None, "data: 1234\n\n"}},
        {Framing::Form, {"data=12%20345", tooLarge, ""}},
        {Framing::Json, {R"({"data":"\u00311\t3"})", Refusal::None, "data: 11\t3\n\n"}},
        {Framing::Json, {R"([{"data":"1"},{"data":"\u20acab"}])", tooLarge, "data: 1\n\n"}},
        {Framing::Json, {R"({"data":[12]})", Refusal::None, "data: [12]\n\n"}},
        {Framing::Json, {R"({"data":[1,23]})", tooLarge, ""}},
        {Framing::Json, {R"({"data":{"a":1}})", tooLarge, ""}},
        {Framing::Json, {R"({"data":12345})", tooLarge, ""}},
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
            for (Framing framing : {Framing::Lines, Framing::Ndjson, Framing::Sse, Framing::Json}) {
                std::string text;
                std::string events;
                for (uint64_t i = 0; i < count; ++i) {
                    text += eventOf(framing, "x");
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
        {Framing::Form, "data=%ff%e2%82x", "data: \ufffd\ufffdx\n\n"},
        {Framing::Json, "{\"data\":\"\\ud800\"}{\"data\":\"\xff\"}", "data: \ufffd\n\ndata: \ufffd\n\n"},
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

    Taken json(options(Framing::Json));
    assert_int_equal(json.intake.setType("price", false), Refusal::None);
    assert_int_equal(json.intake.setRetry("3000"), Refusal::None);
    assert_int_equal(feedAll(json.intake, {R"({"event":"e","data":1}{"retry":500,"data":2})"}),
                     Refusal::None);
    assertText(json.text(), "event: e\nretry: 3000\ndata: 1\n\nevent: price\nretry: 500\ndata: 2\n\n",
               "JSON");

    Taken form(options(Framing::Form));
    assert_int_equal(form.intake.setType("price", false), Refusal::None);
    assert_int_equal(form.intake.setPublisherId("order-7"), Refusal::None);
    assert_int_equal(feedAll(form.intake, {"retry=500&data=1"}), Refusal::None);
    assertText(form.text(), "id: ~order-7\nevent: price\nretry: 500\ndata: 1\n\n", "a form");

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
                         intake.isStream() ? Refusal::PublisherIdForMany : Refusal::None);
        assert_int_equal(intake.setEncoding("base32"), Refusal::BadEncoding);
        assert_int_equal(intake.setEncoding("base64"),
                         framing == Framing::Event ? Refusal::None : Refusal::EncodingForMany);
        assert_int_equal(intake.setEncoding(""), Refusal::None);
        for (std::string_view retry : {"x", "-1", "1.5", " 1"}) {
            assert_int_equal(intake.setRetry(retry), Refusal::BadRetry);
        }
        // Empty is nothing, and who may give any type may give a reserved one.
        assert_int_equal(intake.setPublisherId(""), Refusal::None);
        assert_int_equal(intake.setRetry(""), Refusal::None);
        assert_int_equal(intake.setType("own", true), Refusal::None);
        assert_int_equal(feedAll(intake, {eventOf(framing, "x")}), Refusal::None);
        assertText(taken.text(), "event: own\ndata: x\n\n", "a reserved type");
    }
}

// Events are with their owner as soon as they are whole, not at the end of the body.
void testAtOnce(void**) {
    for (Framing framing : {Framing::Lines, Framing::Ndjson, Framing::Sse, Framing::Json}) {
        Taken taken(options(framing));
        const std::string event = eventOf(framing, "x");
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
    assert_false(Taken(options(Framing::Form)).intake.isStream());

    // Between the envelopes of an array there is no event that is incomplete.
    Taken array(options(Framing::Json));
    for (std::string_view piece : {" [", R"({"data":1})", " ", ",", R"( {"data":2})", "] ", "[", "]"}) {
        assert_int_equal(array.intake.feed(piece), Refusal::None);
        assert_true(array.intake.isBetweenEvents());
    }
    assert_int_equal(array.events.size(), 2);
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

// Nor does what is around the data, however much of it there is.
void testSmallThings(void**) {
    const std::string space(100'000, ' ');
    const std::string brackets = R"({"data":[)" + std::string(1'000'000, '[');
    Taken json(options(Framing::Json));
    assert_int_equal(feedAll(json.intake, {space, "[", space, "{", space, "\"data\"", space, ":1", space, "}",
                                           space, "]"}),
                     Refusal::None);
    assertText(json.text(), "data: 1\n\n", "white space");
    assert_int_equal(refusalOf(Framing::Json, {"{\"", space, "\":1}"}), Refusal::UnknownField);
    assert_int_equal(refusalOf(Framing::Json, {"{\"event\":\"", space}), Refusal::IncompleteEvent);
    assert_int_equal(refusalOf(Framing::Json, {brackets}), Refusal::TooDeepJson);

    Taken form(options(Framing::Form));
    assert_int_equal(feedAll(form.intake, {std::string(1'000'000, '&'), "data=1"}), Refusal::None);
    assertText(form.text(), "data: 1\n\n", "empty fields");
    assert_int_equal(refusalOf(Framing::Form, {space}), Refusal::UnknownField);

    // Names and values that need no memory of their own, byte by byte.
    Taken slow(options(Framing::Json));
    for (const char& c : std::string(R"({"event":")") + std::string(100'000, 'x')) {
        assert_int_equal(slow.intake.feed({&c, 1}), Refusal::None);
    }
    assert_true(slow.intake.held() == 0);
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
        for (int i = 0; i < 3 && intake.isStream(); ++i) {
            const std::string text(900, 'x');
            assert_int_equal(intake.feed(std::string(startOf(framing)) + text), Refusal::None);
            intake.release();
            assert_true(intake.held() >= 900 && intake.held() <= 1000);
            assert_int_equal(intake.feed(endOf(framing)), Refusal::None);
            intake.release();
            assert_int_equal(intake.held(), 0);
        }
        assert_int_equal(intake.feed(std::string(startOf(framing)) + "x"), Refusal::None);
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
        cmocka_unit_test(testForm),         cmocka_unit_test(testJson),
        cmocka_unit_test(testPlaces),       cmocka_unit_test(testPlacesInForms),
        cmocka_unit_test(testChannels),     cmocka_unit_test(testSmallThings),
        cmocka_unit_test(testMaxData),      cmocka_unit_test(testMaxRendered),
        cmocka_unit_test(testMaxEvents),    cmocka_unit_test(testRepair),
        cmocka_unit_test(testDefaults),     cmocka_unit_test(testRefusedDefaults),
        cmocka_unit_test(testAtOnce),       cmocka_unit_test(testHandedOnInTime),
        cmocka_unit_test(testOwnerRefuses), cmocka_unit_test(testMemory),
        cmocka_unit_test(testLargestBatch),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
