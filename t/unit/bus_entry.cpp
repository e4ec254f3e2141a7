// Entries of a stream: what their fields mean, which are skipped and why, and that what we write is read as
// the same event.
#include "bus/entry.hpp"

#include "bus/command.hpp"
#include "bus_replies.hpp"
#include "pieces.hpp"
#include "random_event.hpp"
#include "sse/channel_names.hpp"

using namespace sse;

namespace {

constexpr size_t kMaxData = 64;

// What a reader makes of fields, in one line.
std::string read(EntryReader& reader, const std::string& bytes) {
    ReplyReader replies(1024 * 1024);
    const Reply* fields = nullptr;
    assert_true(replies.feed(bytes));
    assert_true(replies.next(fields) == ReplyReader::Next::Reply);
    switch (reader.read(*fields)) {
    case EntryKind::Event:
        break;
    case EntryKind::End:
        return "end " + std::string(reader.channel()) + " <" + std::string(reader.token()) + ">";
    case EntryKind::Break:
        return "break";
    case EntryKind::Raise:
        return "raise";
    case EntryKind::Bad:
        return std::string(reader.fault());
    case EntryKind::NoMemory:
        return "no memory";
    }
    const Event& event = reader.envelope().event;
    assert_int_equal(countNames(reader.envelope().channels), 1);
    return std::string(reader.channel()) + " \"" + std::string(event.data) +
           "\" type=" + std::string(event.type) + " id=" + std::string(event.publisherId) +
           " retry=" + std::to_string(event.retryMilliseconds) + (reader.envelope().ends ? " ends" : "") +
           " <" + std::string(reader.token()) + ">" + (reader.reopens() ? "" : " reopen=0") +
           (reader.replaced() != 0 ? " replaced=" + std::to_string(reader.replaced()) : "");
}

std::string read(const std::vector<std::string_view>& fields) {
    EntryReader reader(kMaxData);
    return read(reader, bulks(fields));
}

void testEvents(void**) {
    const struct {
        std::vector<std::string_view> fields;
        std::string_view meaning;
    } cases[] = {
        {{"channel", "news", "data", "hello"}, "news \"hello\" type= id= retry=0 <>"},
        {{"data", "", "channel", "n"}, "n \"\" type= id= retry=0 <>"},
        {{"channel", "n", "data", "a\nb\r\nc"}, "n \"a\nb\r\nc\" type= id= retry=0 <>"},
        {{"channel", "n", "data", "a", "event", "up", "id", "7", "retry", "3000", "token", "ab-1"},
         "n \"a\" type=up id=7 retry=3000 <ab-1>"},
        {{"channel", "n", "data", "a", "event", "", "id", "", "retry", "", "token", ""},
         "n \"a\" type= id= retry=0 <>"},
        {{"channel", "n", "data", "a", "end", "1"}, "n \"a\" type= id= retry=0 ends <>"},
        {{"channel", "n", "data", "a", "end", "true"}, "n \"a\" type= id= retry=0 ends <>"},
        {{"channel", "n", "data", "a", "end", "0"}, "n \"a\" type= id= retry=0 <>"},
        {{"channel", "n", "data", "a", "end", "false"}, "n \"a\" type= id= retry=0 <>"},
        {{"channel", "n", "data", "", "end", "1"}, "n \"\" type= id= retry=0 ends <>"},
        {{"channel", "n", "end", "1"}, "end n <>"},
        {{"channel", "n", "end", "1", "token", "t-2"}, "end n <t-2>"},
        // Others may add what they want, as often as they want.
        {{"channel", "n", "data", "a", "user", "x", "user", "y", "Data", "z", "", ""},
         "n \"a\" type= id= retry=0 <>"},
        {{"channel", "n", "data", "a", "break", "0", "raise", "false"}, "n \"a\" type= id= retry=0 <>"},
        // Ids are any bytes, and are escaped.
        {{"channel", "n", "data", "a", "id", "urn:1"}, "n \"a\" type= id=urn%3A1 retry=0 <>"},
        {{"channel", "n", "data", "a", "id", "1-2"}, "n \"a\" type= id=1%2D2 retry=0 <>"},
        {{"channel", "n", "data", "a", "id", "\xff"}, "n \"a\" type= id=%FF retry=0 <>"},
        {{"channel", "n", "data", "a", "retry", "1"}, "n \"a\" type= id= retry=250 <>"},
        // Text that is none.
        {{"channel", "n", "data", "a\xff\xfe z"}, "n \"a\ufffd\ufffd z\" type= id= retry=0 <> replaced=2"},
        {{"channel", "n", "data", "\xe2\x82"}, "n \"\ufffd\" type= id= retry=0 <> replaced=1"},
    };
    EntryReader reader(kMaxData);
    for (const auto& c : cases) {
        assertText(read(c.fields), c.meaning, std::string(c.meaning));
        assertText(read(reader, bulks(c.fields)), c.meaning, "after another: " + std::string(c.meaning));
    }
}

void testOthers(void**) {
    for (const std::string_view yes : {"1", "true", ""}) {
        assertText(read({"break", yes}), "break", "break");
        assertText(read({"raise", yes}), "raise", "raise");
        // Whatever else there is: each machine must see the same.
        assertText(read({"event", "\n", "data", std::string(1000, 'x'), "break", yes}), "break", "break");
        assertText(read({"channel", "", "raise", yes, "channel", "a"}), "raise", "raise");
        assertText(read({"raise", yes, "break", yes}), "break", "both");
    }
    for (const std::string_view value : {"0", "false"}) {
        assertText(read({"channel", "n", "data", "a", "reopen", value}),
                   R"(n "a" type= id= retry=0 <> reopen=0)", "left out");
        assertText(read({"reopen", value, "channel", "n", "data", "a", "reopen", "1"}),
                   R"(n "a" type= id= retry=0 <> reopen=0)", "twice");
    }
    for (const std::string_view value : {"1", "true", "", "any text"}) {
        assertText(read({"channel", "n", "data", "a", "reopen", value}), R"(n "a" type= id= retry=0 <>)",
                   "taken");
    }
    assertText(read({"break", "no", "channel", "n", "data", "a"}), "a flag is neither true nor false", "no");
    assertText(read({"break", "0"}), "bad channel name, or none", "no event");
}

void testBad(void**) {
    const std::string name256(256, 'c');
    const std::string type129(129, 't');
    const std::string id87(87, 'i');
    const std::string data65(65, 'd');
    const std::string grows(kMaxData - 2, '\xff'); // to three times as much
    const struct {
        std::string_view fault;
        std::vector<std::vector<std::string_view>> entries;
    } cases[] = {
        {"bad channel name, or none",
         {{},
          {"data", "a"},
          {"channel", "", "data", "a"},
          {"channel", "a\nb", "data", "a"},
          {"channel", "\xff", "data", "a"},
          {"channel", name256, "data", "a"},
          {"Channel", "n", "data", "a"},
          {"end", "1"},
          {"user", "x"}}},
        {"no data", {{"channel", "n"}, {"channel", "n", "end", "0"}, {"channel", "n", "event", "up"}}},
        {"bad event type",
         {{"channel", "n", "data", "a", "event", " x"},
          {"channel", "n", "data", "a", "event", "a\nb"},
          {"channel", "n", "data", "a", "event", "\xff"},
          {"channel", "n", "data", "a", "event", type129}}},
        {"bad id", {{"channel", "n", "data", "a", "id", id87}, {"channel", "n", "data", "a", "id", name256}}},
        {"bad retry",
         {{"channel", "n", "data", "a", "retry", "x"}, {"channel", "n", "data", "a", "retry", "-1"}}},
        {"a flag is neither true nor false",
         {{"channel", "n", "data", "a", "end", "yes"},
          {"channel", "n", "data", "a", "raise", "2"},
          {"channel", "n", "data", "a", "end", "TRUE"}}},
        {"the data is too long", {{"channel", "n", "data", data65}, {"channel", "n", "data", grows}}},
        {"a field comes twice",
         {{"channel", "n", "channel", "n", "data", "a"},
          {"channel", "n", "data", "a", "data", "b"},
          {"channel", "n", "data", "a", "event", "", "event", ""},
          {"channel", "n", "data", "a", "id", "", "id", ""},
          {"channel", "n", "data", "a", "retry", "", "retry", ""},
          {"channel", "n", "data", "a", "end", "0", "end", "0"},
          {"channel", "n", "data", "a", "token", "", "token", ""},
          {"channel", "n", "data", "a", "break", "0", "break", "0"},
          {"channel", "n", "data", "a", "raise", "0", "raise", "0"}}},
    };
    EntryReader reader(kMaxData);
    for (const auto& c : cases) {
        for (const auto& fields : c.entries) {
            assertText(read(reader, bulks(fields)), c.fault, readable(bulks(fields)));
            assertText(read(reader, bulks({"channel", "n", "data", "a"})), "n \"a\" type= id= retry=0 <>",
                       "after it");
        }
    }
}

// What a server must not answer.
void testMalformed(void**) {
    const std::string_view fault = "not names and values in turn";
    EntryReader reader(kMaxData);
    for (const std::string& bytes : {bulks({"channel"}), bulks({"channel", "n", "data"}),
                                     array({":1\r\n", ":2\r\n"}), array({bulk("channel"), "$-1\r\n"}),
                                     array({bulk("channel"), bulk("n"), bulk("data"), bulks({"a"})}),
                                     array({bulk("channel"), "+n\r\n", bulk("data"), bulk("a")})}) {
        assertText(read(reader, bytes), fault, readable(bytes));
    }
    for (const std::string bytes : {"*-1\r\n", "$-1\r\n", ":1\r\n", "+OK\r\n", "-ERR\r\n", "$1\r\na\r\n"}) {
        assertText(read(reader, bytes), "bad channel name, or none", readable(bytes));
    }
}

void testLimitOfData(void**) {
    const std::string most(kMaxData, 'd');
    assertText(read({"channel", "n", "data", most}), "n \"" + most + "\" type= id= retry=0 <>", "most");
    const std::string grown = std::string(kMaxData - 3, 'd') + "\xff";
    assertText(read({"channel", "n", "data", grown}),
               "n \"" + std::string(kMaxData - 3, 'd') + "\ufffd\" type= id= retry=0 <> replaced=1",
               "repaired");
}

// --- Writing ---

// The words of a command as it goes to Redis, without the first `skipped` ones, as an array on the wire.
std::string argumentsOf(std::string_view command, size_t skipped) {
    ReplyReader reader(1024 * 1024);
    const Reply* reply = nullptr;
    assert_true(reader.feed(command));
    assert_true(reader.next(reply) == ReplyReader::Next::Reply);
    std::vector<std::string> words;
    for (const Reply& word : *reply) {
        if (skipped != 0) {
            --skipped;
        } else {
            words.push_back(bulk(word.text));
        }
    }
    assert_true(reader.next(reply) == ReplyReader::Next::Incomplete);
    return array(words);
}

void testCommand(void**) {
    Buffer out;
    const std::string_view words[] = {"XADD", "a b", "", "\r\n\0"sv};
    assert_true(addCommand(out, words));
    assertText(out.view(), "*4\r\n$4\r\nXADD\r\n$3\r\na b\r\n$0\r\n\r\n$3\r\n\r\n\0\r\n"sv, "command");
    assert_true(addCommand(out, {words, 1}));
    assertText(out.view().substr(out.size() - 14), "*1\r\n$4\r\nXADD\r\n", "another");
    // More words than have room without memory.
    std::vector<std::string> texts;
    for (int i = 0; i < 1000; ++i) {
        texts.push_back(std::to_string(i));
    }
    const std::vector<std::string_view> many(texts.begin(), texts.end());
    out.clear();
    assert_true(addCommand(out, many));
    assertText(out.view(), bulks(many), "many");
}

template <typename Use>
void staged(const Envelope& envelope, Use&& use) {
    StagedEvents events;
    assert_true(events.add(envelope, encodedSize(envelope.event)));
    int count = 0;
    events.each([&](const StagedEvent& event) {
        ++count;
        use(event);
        return true;
    });
    assert_int_equal(count, 1);
}

void testEntryCommand(void**) {
    Buffer out;
    staged({.event = {"up", "a\nb", "urn%3A1", 3000}}, [&](const StagedEvent& event) {
        assert_true(addEntryCommand(out, "sse:events", "news", event, {.ends = true}, "ab-1"));
        assertText(out.view(),
                   bulks({"XADD", "sse:events", "*", "channel", "news", "event", "up", "id", "urn:1", "retry",
                          "3000", "data", "a\nb", "end", "1", "token", "ab-1"}),
                   "all");
    });
    out.clear();
    staged({.event = {}}, [&](const StagedEvent& event) {
        assert_true(addEntryCommand(out, "s", "n", event, {}, ""));
        assertText(out.view(), bulks({"XADD", "s", "*", "channel", "n", "data", ""}), "least");
    });
    out.clear();
    staged({.event = {}}, [&](const StagedEvent& event) {
        assert_true(addEntryCommand(out, "s", "n", event, {.reopens = false}, ""));
        assertText(out.view(), bulks({"XADD", "s", "*", "channel", "n", "data", "", "reopen", "0"}),
                   "reopen");
    });
    out.clear();
    assert_true(addEndCommand(out, "s", "n", "t"));
    assertText(out.view(), bulks({"XADD", "s", "*", "channel", "n", "end", "1", "token", "t"}), "end");
}

// An event that is published, written into the stream and read from it is the same as one that is appended
// at once.
void testRoundTrip(void**) {
    RandomEvents events(7);
    EntryReader reader(64 * 1024);
    Buffer command;
    for (int round = 0; round < 20000; ++round) {
        const RandomEvent random = events.next();
        const std::string id(escapePublisherId(round % 3 == 0 ? random.data : random.publisherId).view());
        const Event event{random.type, random.data, id, random.retry};
        const bool ends = round % 5 == 0;
        staged({.event = event}, [&](const StagedEvent& direct) {
            command.clear();
            assert_true(addEntryCommand(command, "s", "n", direct, {.ends = ends}, "t"));
            const std::string fields = argumentsOf(command.view(), 3);
            ReplyReader replies(1024 * 1024);
            const Reply* reply = nullptr;
            assert_true(replies.feed(fields));
            assert_true(replies.next(reply) == ReplyReader::Next::Reply);
            if (reader.read(*reply) != EntryKind::Event) {
                fail_msg("%s: %s", readable(fields).c_str(), std::string(reader.fault()).c_str());
            }
            assertText(reader.channel(), "n", "channel");
            assertText(reader.token(), "t", "token");
            assert_int_equal(reader.envelope().ends, ends);
            assert_int_equal(reader.replaced(), 0);
            staged(reader.envelope(), [&](const StagedEvent& again) {
                assertText(again.fields, direct.fields, readable(fields));
                assertText(again.publisherId, direct.publisherId, readable(fields));
            });
        });
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testEvents),       cmocka_unit_test(testOthers),      cmocka_unit_test(testBad),
        cmocka_unit_test(testMalformed),    cmocka_unit_test(testLimitOfData), cmocka_unit_test(testCommand),
        cmocka_unit_test(testEntryCommand), cmocka_unit_test(testRoundTrip),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
