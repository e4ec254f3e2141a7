// Merged events: what becomes of a run of rendered events, and that a client reads from it what it would have
// read from the events one by one.
#include "sse/merge.hpp"

#include "pieces.hpp"
#include "random_event.hpp"
#include "reference.hpp"
#include "sse/encode.hpp"

using sse::MergeMode;

namespace {

constexpr char kChannels[3] = {}; // their addresses are three channels

struct Published {
    sse::Event event;
    int channel = 0;
    bool endsChannel = false;
    bool separate = false; // something stands before it in the log
};

std::string render(const Published& published, const std::string& id) {
    const sse::IdLine line(id, published.event.publisherId);
    std::string text;
    for (const std::string_view piece : {line.field, line.id, line.tilde, line.publisherId, line.lineEnd}) {
        text += piece;
    }
    const size_t at = text.size();
    text.resize(at + encodedSize(published.event));
    encodeFields(published.event, text.data() + at);
    return text;
}

std::string idOf(size_t number) {
    return std::to_string(7 + number / 3) + "-" + std::to_string(number % 3 == 2 ? 1000 : number % 3);
}

// As subscribers do it: each event is put after what there is, in a block that has room for just these bytes.
std::string merge(MergeMode mode, const std::vector<Published>& events, std::string text = "") {
    const size_t before = text.size();
    sse::Merger merger(mode);
    size_t given = 0;
    for (size_t i = 0; i < events.size(); ++i) {
        const Published& published = events[i];
        const sse::IdLine line(idOf(i), published.event.publisherId);
        const std::string bytes = render(published, idOf(i));
        given += bytes.size();
        text += bytes;
        const std::unique_ptr<char[]> exact(new char[text.size()]);
        text.copy(exact.get(), text.size());
        if (published.separate) {
            merger.separate();
        }
        const size_t shorter = merger.add(exact.get(), text.size(),
                                          {.size = bytes.size(),
                                           .idLineLength = line.size(),
                                           .channel = &kChannels[published.channel],
                                           .hasPublisherId = !published.event.publisherId.empty(),
                                           .endsChannel = published.endsChannel});
        assert_true(shorter <= bytes.size() + text.size());
        text.assign(exact.get(), text.size() - shorter);
    }
    assert_int_equal(given - merger.saved(), text.size() - before);
    return text;
}

void testBytes(void**) {
    const struct {
        MergeMode mode;
        std::vector<Published> events;
        std::string_view bytes;
    } cases[] = {
        {MergeMode::Off,
         {{{"", "Hel", "", 0}}, {{"", "lo", "", 0}}},
         "id: 7-0\ndata: Hel\n\nid: 7-1\ndata: lo\n\n"},
        {MergeMode::Data, {{{"", "Hel", "", 0}}}, "id: 7-0\ndata: Hel\n\n"},
        {MergeMode::Data, {{{"", "Hel", "", 0}}, {{"", "lo", "", 0}}}, "data: Hello\nid: 7-1\n\n"},
        {MergeMode::Lines, {{{"", "Hel", "", 0}}, {{"", "lo", "", 0}}}, "data: Hel\ndata: lo\nid: 7-1\n\n"},
        {MergeMode::Data,
         {{{"", "a", "", 0}}, {{"", " b", "", 0}}, {{"", "\n", "", 0}}, {{"", "c", "", 0}}},
         "data: a b\ndata: c\nid: 8-0\n\n"},
        {MergeMode::Lines,
         {{{"", "a", "", 0}}, {{"", "", "", 0}}, {{"", "\n", "", 0}}, {{"", "c", "", 0}}},
         "data: a\ndata: \ndata: \ndata: \ndata: c\nid: 8-0\n\n"},
        {MergeMode::Data, {{{"", "", "", 0}}, {{"", "", "", 0}}}, "data: \nid: 7-1\n\n"},
        // Shorter than the first of them was.
        {MergeMode::Data, {{{"", "a", "a-long-name", 0}}, {{"", "", "b", 0}}}, "data: a\nid: 7-1~b\n\n"},
        {MergeMode::Data,
         {{{"t", "a", "", 0}}, {{"t", "b", "", 0}}, {{"u", "c", "", 0}}, {{"u", "d", "", 0}}},
         "event: t\ndata: ab\nid: 7-1\n\nevent: u\ndata: cd\nid: 8-0\n\n"},
    };
    for (const auto& c : cases) {
        assertText(merge(c.mode, c.events), c.bytes, readable(c.bytes));
    }
}

void testWhatStaysApart(void**) {
    const struct {
        std::vector<Published> events;
        std::string_view bytes;
        const char* where;
    } cases[] = {
        {{{{"", "a", "", 0}}, {{"t", "b", "", 0}}},
         "id: 7-0\ndata: a\n\nid: 7-1\nevent: t\ndata: b\n\n",
         "another type"},
        {{{{"t", "a", "", 0}}, {{"tu", "b", "", 0}}},
         "id: 7-0\nevent: t\ndata: a\n\nid: 7-1\nevent: tu\ndata: b\n\n",
         "a longer type"},
        {{{{"", "a", "", 0}, 0}, {{"", "b", "", 0}, 1}, {{"", "c", "", 0}, 0}},
         "id: 7-0\ndata: a\n\nid: 7-1\ndata: b\n\nid: 7-1000\ndata: c\n\n",
         "other channels"},
        {{{{"", "a", "", 0}}, {{"", "b", "", 500}}, {{"", "c", "", 0}}},
         "id: 7-0\ndata: a\n\nid: 7-1\nretry: 500\ndata: b\n\nid: 7-1000\ndata: c\n\n",
         "a retry"},
        {{{{"t", "a", "", 0}}, {{"t", "b", "", 500}}},
         "id: 7-0\nevent: t\ndata: a\n\nid: 7-1\nevent: t\nretry: 500\ndata: b\n\n",
         "a type and a retry"},
        {{{{"", "a", "", 0}}, {{"", "b", "", 0}, 0, true}, {{"", "c", "", 0}}},
         "id: 7-0\ndata: a\n\nid: 7-1\ndata: b\n\nid: 7-1000\ndata: c\n\n",
         "the last event of a channel"},
        {{{{"", "a", "", 0}}, {{"", "b", "", 0}, 0, false, true}},
         "id: 7-0\ndata: a\n\nid: 7-1\ndata: b\n\n",
         "what is said to be separate"},
        {{{{"", "a", "x", 0}}, {{"", "b", "", 0}}},
         "id: 7-0~x\ndata: a\n\nid: 7-1\ndata: b\n\n",
         "none of the publisher's ids is lost to an event without one"},
        {{{{"", "a", "", 0}}, {{"", "b", "x", 0}}, {{"", "c", "y", 0}}, {{"", "d", "", 0}}},
         "data: abc\nid: 7-1000~y\n\nid: 8-0\ndata: d\n\n",
         "but to a newer one"},
    };
    for (const auto& c : cases) {
        assertText(merge(MergeMode::Data, c.events), c.bytes, c.where);
    }
}

// What stands there before, such as a gap event, is left alone.
void testAfterOtherText(void**) {
    const std::string notices = ":\nretry: 3000\nid: 6-0\nevent: gap\ndata: {}\n\n";
    assertText(merge(MergeMode::Data, {{{"", "a", "", 0}}}, notices), notices + "id: 7-0\ndata: a\n\n",
               "one");
    assertText(merge(MergeMode::Data, {{{"", "a", "", 0}}, {{"", "b", "", 0}}}, notices),
               notices + "data: ab\nid: 7-1\n\n", "two");
}

// Bytes that are no event as it is rendered stay as they are, whatever comes before and after.
void testOtherBytes(void**) {
    const struct {
        std::string_view bytes;
        size_t idLineLength;
    } cases[] = {
        {"", 0},
        {"id: 1\n", 6},
        {"data: x\n\n", 0},
        {"id: 1\nevent: t\n\n", 6},
        {"id: 1\nevent: t", 6},
        {"id: 1\nevent: ", 6},
        {"id: 1\ndata: ", 6},
        {"id: 1\ndata: x\n", 6},
        {"id: 1\ndata:\n\n", 6},
        {"id: 1\n:\ndata: x\n\n", 6},
        {"id: 1\ndata: x\n\n", 60},
    };
    const std::string first = "id: 1\ndata: x\n\n";
    for (const auto& c : cases) {
        const std::string text = first + std::string(c.bytes);
        const Exact exact(text);
        char* const bytes = const_cast<char*>(exact.view().data());
        sse::Merger merger(MergeMode::Data);
        assert_int_equal(merger.add(bytes, first.size(), {first.size(), 6, kChannels, false, false}), 0);
        assert_int_equal(
            merger.add(bytes, text.size(), {c.bytes.size(), c.idLineLength, kChannels, false, false}), 0);
        assertText(exact.view(), text, readable(c.bytes));
    }
}

// An id line that is too long for browsers is not ours.
void testLongIds(void**) {
    const std::string longest(128 - std::string("7-1~").size(), 'x');
    const std::string tooLong = longest + "x";
    assertText(merge(MergeMode::Data, {{{"", "a", "", 0}}, {{"", "b", longest, 0}}}),
               "data: ab\nid: 7-1~" + longest + "\n\n", "128 bytes");
    assertText(merge(MergeMode::Data, {{{"", "a", "", 0}}, {{"", "b", tooLong, 0}}}),
               "id: 7-0\ndata: a\n\nid: 7-1~" + tooLong + "\ndata: b\n\n", "129 bytes");
}

bool mayJoin(const Published& before, const Published& now) {
    return before.channel == now.channel && before.event.type == now.event.type && !now.separate &&
           !before.endsChannel && !now.endsChannel && before.event.retryMilliseconds == 0 &&
           now.event.retryMilliseconds == 0 &&
           (before.event.publisherId.empty() || !now.event.publisherId.empty());
}

// What a client is to read, by what it reads of the events one by one.
std::vector<ReferenceEvent> joined(MergeMode mode, const std::vector<Published>& published,
                                   const std::vector<ReferenceEvent>& single) {
    std::vector<ReferenceEvent> events;
    for (size_t i = 0; i < single.size(); ++i) {
        if (i == 0 || !mayJoin(published[i - 1], published[i])) {
            events.push_back(single[i]);
            continue;
        }
        events.back().lastEventId = single[i].lastEventId;
        events.back().data += (mode == MergeMode::Lines ? "\n" : "") + single[i].data;
    }
    return events;
}

void testRandomRuns(void**) {
    RandomEvents random(1);
    for (int run = 0; run < 3000; ++run) {
        std::vector<RandomEvent> events(1 + random.below(12));
        for (RandomEvent& event : events) {
            event = random.next();
            event.type = random.below(4) == 0 ? "t" : "";
            event.publisherId.resize(random.below(3) == 0 ? event.publisherId.size() : 0);
            event.retry = random.below(8) == 0 ? 500 : 0;
        }
        std::vector<Published> published;
        for (const RandomEvent& event : events) {
            published.push_back({{event.type, event.data, event.publisherId, event.retry},
                                 random.below(6) == 0 ? 1 : 0,
                                 random.below(8) == 0,
                                 random.below(8) == 0});
        }
        const ReferenceParser single(merge(MergeMode::Off, published));
        for (const MergeMode mode : {MergeMode::Data, MergeMode::Lines}) {
            const std::string text = merge(mode, published);
            const ReferenceParser parser(text);
            const bool isRight = parser.events() == joined(mode, published, single.events());
            assertText(isRight ? "right" : "wrong", "right", readable(text));
        }
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testBytes),          cmocka_unit_test(testWhatStaysApart),
        cmocka_unit_test(testAfterOtherText), cmocka_unit_test(testOtherBytes),
        cmocka_unit_test(testLongIds),        cmocka_unit_test(testRandomRuns),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
