// The command for a request that is published as a whole, and what is read of its answer. What the script
// itself does is seen with a real Redis: t/bus/publishing.t.
#include "bus/idempotency.hpp"

#include "bus/command.hpp"
#include "sse/encode.hpp"

#include <string>
#include <vector>

#include "cmocka.hpp"

using namespace sse;

namespace {

// The words of a command as it is sent.
std::vector<std::string> wordsOf(std::string_view bytes) {
    std::vector<std::string> words;
    assert_int_equal(bytes.at(0), '*');
    const size_t count = std::stoul(std::string(bytes.substr(1)));
    bytes.remove_prefix(bytes.find("\r\n") + 2);
    while (!bytes.empty()) {
        assert_int_equal(bytes.at(0), '$');
        const size_t length = std::stoul(std::string(bytes.substr(1)));
        bytes.remove_prefix(bytes.find("\r\n") + 2);
        words.emplace_back(bytes.substr(0, length));
        assert_true(bytes.substr(length, 2) == "\r\n");
        bytes.remove_prefix(length + 2);
    }
    assert_int_equal(words.size(), count);
    return words;
}

void stage(StagedEvents& events, std::string_view data, std::string_view id = {}) {
    const Envelope envelope{.event = {.data = data, .publisherId = id}};
    assert_true(events.add(envelope, encodedSize(envelope.event)));
}

std::vector<std::string> commandOf(const WholeRequest& request) {
    Buffer out;
    assert_true(addPublishCommand(out, "name", "stream", request, 3600'000, "token"));
    return wordsOf(out.view());
}

using Words = std::vector<std::string>;

void testBatch(void**) {
    StagedEvents events;
    stage(events, "one");
    stage(events, "two", "mine");
    const Words words = commandOf({"news", {}, &events, false});
    const Words expected{"EVALSHA",
                         "name",
                         "1",
                         "stream",
                         "",
                         "3600000",
                         "mine",
                         "0",
                         std::string(20, '0'),
                         std::string(20, '0'),
                         "",
                         "18446744073709551552",
                         "6",
                         "channel",
                         "news",
                         "data",
                         "one",
                         "token",
                         "token",
                         "8",
                         "channel",
                         "news",
                         "id",
                         "mine",
                         "data",
                         "two",
                         "token",
                         "token"};
    assert_true(words == expected);
}

void testKey(void**) {
    StagedEvents events;
    stage(events, "a\nb");
    const Stamp stamp = Stamp::ofKey("k:1");
    const Words words = commandOf({"a:b", stamp.bytes(), &events, true});
    assert_string_equal(words[2].c_str(), "2");
    assert_string_equal(words[4].c_str(), "stream:key:3:a:b:k:1");
    assert_string_equal(words[5].c_str(), "key");
    assert_string_equal(words[8].c_str(), "1");
    const Words entry(words.begin() + 13, words.end());
    assert_true(entry == (Words{"8", "channel", "a:b", "data", "a\nb", "end", "1", "token", "token"}));
}

void testProducer(void**) {
    const Stamp stamp = Stamp::ofProducer("p", {.epoch = 7, .sequence = UINT64_MAX});
    const Words words = commandOf({"c", stamp.bytes(), nullptr, true});
    assert_string_equal(words[4].c_str(), "stream:producer:1:c:p");
    assert_string_equal(words[5].c_str(), "producer");
    assert_string_equal(words[9].c_str(), "00000000000000000007");
    assert_string_equal(words[10].c_str(), "18446744073709551615");
    assert_string_equal(words[11].c_str(), "18446744073709551614");
    assert_string_equal(words[12].c_str(), "18446744073709551551");
    const Words entry(words.begin() + 13, words.end());
    assert_true(entry == (Words{"6", "channel", "c", "end", "1", "token", "token"}));
    assert_int_equal(commandOf({"c", stamp.bytes(), nullptr, true, true}).size(), 13);
    assert_string_equal(commandOf({"c", Stamp::ofProducer("p", {}).bytes(), nullptr, true})[11].c_str(), "");
}

RequestRecord read(std::string_view bytes) {
    ReplyReader reader(4096);
    assert_true(reader.feed(bytes));
    const Reply* reply = nullptr;
    assert_true(reader.next(reply) == ReplyReader::Next::Reply);
    return readRequestRecord(*reply);
}

void testAnswers(void**) {
    using Kind = RequestRecord::Kind;
    RequestRecord record = read("*2\r\n$9\r\npublished\r\n$3\r\n5-6\r\n");
    assert_true(record.kind == Kind::Published && record.id == (StreamId{5, 6}));
    record = read("*2\r\n$8\r\nrepeated\r\n$11\r\n5-6 1 my id\r\n");
    assert_true(record.kind == Kind::Repeated && record.id == (StreamId{5, 6}) && record.ended);
    assert_true(record.publisherId.view() == "my id");
    record = read("*2\r\n$8\r\nrepeated\r\n$6\r\n5-6 0 \r\n");
    assert_true(record.kind == Kind::Repeated && !record.ended && record.publisherId.empty());
    record = read("*2\r\n$8\r\nrepeated\r\n$0\r\n\r\n");
    assert_true(record.kind == Kind::Repeated && record.id == StreamId{});
    record = read("*2\r\n$5\r\nstale\r\n$20\r\n00000000000000000008\r\n");
    assert_true(record.kind == Kind::StaleEpoch && record.number == 8);
    record = read("*2\r\n$8\r\nexpected\r\n$20\r\n00000000000000000008\r\n");
    assert_true(record.kind == Kind::OutOfSequence && record.number == 9);
    record = read("*2\r\n$8\r\nexpected\r\n$0\r\n\r\n");
    assert_true(record.kind == Kind::OutOfSequence && record.number == 0);
    record = read("*1\r\n$7\r\nnothing\r\n");
    assert_true(record.kind == Kind::Nothing);
    for (const char* bad : {"*0\r\n", "$-1\r\n", ":1\r\n", "-ERR x\r\n", "*1\r\n$9\r\npublished\r\n",
                            "*2\r\n$9\r\npublished\r\n$1\r\n5\r\n", "*2\r\n$8\r\nrepeated\r\n$4\r\n5-6 \r\n",
                            "*2\r\n$8\r\nrepeated\r\n$5\r\nx 1 y\r\n", "*2\r\n$5\r\nstale\r\n$1\r\nx\r\n",
                            "*2\r\n$5\r\nother\r\n$1\r\n1\r\n"}) {
        assert_true(read(bad).kind == Kind::None);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testBatch),
        cmocka_unit_test(testKey),
        cmocka_unit_test(testProducer),
        cmocka_unit_test(testAnswers),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
