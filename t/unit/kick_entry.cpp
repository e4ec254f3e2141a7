// Kicks as entries of a stream: what is written is read, and other entries are not kicks.
#include "bus/kick_entry.hpp"

#include <initializer_list>

#include "bus/command.hpp"
#include "check.hpp"

namespace sse {
namespace {

using Words = std::initializer_list<std::string_view>;

// Reads the words as the fields of an entry. A command has the form of a reply with the same texts.
struct Read {
    explicit Read(std::span<const std::string_view> words) {
        Buffer bytes;
        const Reply* reply = nullptr;
        assert_true(addCommand(bytes, words) && reader.feed(bytes.view()));
        assert_true(reader.next(reply) == ReplyReader::Next::Reply);
        kick = readKick(*reply);
    }
    explicit Read(Words words) : Read(std::span(words.begin(), words.size())) {}

    ReplyReader reader{100'000};
    std::optional<KickEntry> kick;
};

void assertSame(const KickEntry& kick) {
    const KickWords words(kick);
    assert_true(words.view().size() % 2 == 0 && words.view().size() <= KickWords::kMost);
    const Read read(words.view());
    assert_true(read.kick.has_value());
    assert_true(read.kick->key == kick.key && read.kick->channel == kick.channel);
    assert_true(read.kick->seconds == kick.seconds && read.kick->by == kick.by);
}

void testWrittenAndRead(void**) {
    assertSame({.key = "alice", .channel = "news", .seconds = 600, .by = "5f"});
    assertSame({.key = "alice", .seconds = 0});
    assertSame({.channel = "gr\xc3\xbcn", .seconds = kMostKickSeconds, .by = "5f"});
    assertSame({.key = std::string_view("any\0\r\n\xff bytes", 12), .seconds = 1});
}

void testAnotherProgram(void**) {
    const Read read{"for", "60", "note", "of somebody", "channel", "news", "kick", "1"};
    assert_true(read.kick && read.kick->channel == "news" && read.kick->key.empty() && read.kick->by.empty());
    assert_int_equal(read.kick->seconds, 60);
}

void testNoKick(void**) {
    for (const Words words : {
             Words{"probe", "5f"},
             Words{"kick", "0", "key", "alice", "for", "60"},
             Words{"key", "alice", "for", "60"},
             Words{"kick", "1", "for", "60"},
             Words{"kick", "1", "key", "alice"},
             Words{"kick", "1", "key", "", "for", "60"},
             Words{"kick", "1", "key", "alice", "for", ""},
             Words{"kick", "1", "key", "alice", "for", "-1"},
             Words{"kick", "1", "key", "alice", "for", "1m"},
             Words{"kick", "1", "key", "alice", "for", "2592001"},
             Words{"kick", "1", "key", "alice", "for", "99999999999999999999"},
             Words{"kick", "1", "key", "alice", "channel", "a\nb", "for", "60"},
             Words{"kick", "1", "key", "alice", "for"},
             Words{"kick"},
         }) {
        assert_false(Read(words).kick.has_value());
    }
    assert_false(readKick(Reply{}).has_value());
}

} // namespace
} // namespace sse

int main() {
    using namespace sse;
    const CMUnitTest tests[] = {
        cmocka_unit_test(testWrittenAndRead),
        cmocka_unit_test(testAnotherProgram),
        cmocka_unit_test(testNoKick),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
