// Replies of Redis: every kind, cut anywhere, up to a limit that depends only on the reply; and replies of a
// hostile server.
#include "bus/reply.hpp"

#include "bus_replies.hpp"
#include "pieces.hpp"

using namespace sse;
using Next = ReplyReader::Next;

namespace {

constexpr size_t kPlenty = 1024 * 1024;

// What a reader made of some bytes.
struct Outcome {
    std::vector<std::string> replies;
    Next end = Next::Incomplete; // after these
    std::string lastId;

    bool operator==(const Outcome&) const = default;
};

Outcome read(const Pieces& pieces, size_t most = kPlenty) {
    Outcome outcome;
    ReplyReader reader(most);
    for (const std::string_view piece : pieces) {
        if (!reader.feed(Exact(piece).view())) {
            break;
        }
        const Reply* reply = nullptr;
        while ((outcome.end = reader.next(reply)) == Next::Reply) {
            outcome.replies.push_back(describe(*reply));
        }
        assert_null(reply);
    }
    outcome.lastId = reader.lastId();
    return outcome;
}

std::string readOne(std::string_view text) {
    const Outcome outcome = read({text});
    return outcome.replies.size() == 1 && outcome.end == Next::Incomplete ? outcome.replies[0] : "?";
}

const std::string kXread = array({
    array({bulk("sse:events"), array({entry("1526919030474-0", {"channel", "news", "data", "a"}),
                                      entry("1526919030474-1", {"break", "1"})})}),
    array({bulk("sse:control"), array({entry("5-0", {"probe", ""})})}),
});

void testKinds(void**) {
    const struct {
        std::string bytes;
        std::string_view reply;
    } cases[] = {
        {"+OK\r\n", "+OK"},
        {"+\r\n", "+"},
        {"-ERR wrong\r\n", "-ERR wrong"},
        {":0\r\n", ":0"},
        {":-9223372036854775808\r\n", ":-9223372036854775808"},
        {":9223372036854775807\r\n", ":9223372036854775807"},
        {"$0\r\n\r\n", "\"\""},
        {"$-1\r\n", "nil"},
        {"*-1\r\n", "nil"},
        {"*0\r\n", "[]"},
        {"$4\r\n\r\n\r\n\r\n", "\"\r\n\r\n\""},
        {"*2\r\n*0\r\n*1\r\n$-1\r\n", "[[], [nil]]"},
        {"*3\r\n$6\r\nmaster\r\n:3129659\r\n*1\r\n*3\r\n+a\r\n-b\r\n:1\r\n",
         "[\"master\", :3129659, [[+a, -b, :1]]]"},
        {kXread,
         "[[\"sse:events\", [[\"1526919030474-0\", [\"channel\", \"news\", \"data\", \"a\"]], "
         "[\"1526919030474-1\", [\"break\", \"1\"]]]], [\"sse:control\", [[\"5-0\", [\"probe\", \"\"]]]]]"},
    };
    std::string all;
    std::vector<std::string> replies;
    for (const auto& c : cases) {
        everyCut(c.bytes, [&](const Pieces& pieces) {
            const Outcome outcome = read(pieces);
            assert_true(outcome.end == Next::Incomplete && outcome.replies.size() == 1);
            assertText(outcome.replies[0], c.reply, readable(pieces));
        });
        all += c.bytes;
        replies.emplace_back(c.reply);
    }
    for (size_t length = 1; length <= all.size(); length += length < 10 ? 1 : 13) {
        Pieces pieces;
        for (size_t at = 0; at < all.size(); at += length) {
            pieces.push_back(std::string_view(all).substr(at, length));
        }
        assert_true(read(pieces).replies == replies);
    }
}

void testAccess(void**) {
    ReplyReader reader(kPlenty);
    assert_true(reader.feed("*3\r\n$4\r\nrole\r\n:7\r\n-NOAUTH please\r\n"));
    const Reply* reply = nullptr;
    assert_true(reader.next(reply) == Next::Reply);
    assert_true(reply->is(Reply::Type::Array));
    assert_int_equal(reply->count, 3);
    assertText(reply->at(0)->text, "role", "0");
    assert_int_equal(reply->at(1)->integer, 7);
    assert_true(reply->at(2)->isError("NOAUTH"));
    assert_false(reply->at(2)->isError("NOAUT"));
    assert_false(reply->at(2)->isError("NOAUTH please not"));
    assert_null(reply->at(3));
    assert_null(reply->at(0)->at(0));
    assert_false(reply->at(0)->isError("role"));
    assert_true(reader.next(reply) == Next::Incomplete);
    assert_null(reply);
}

void testMalformed(void**) {
    const std::string_view cases[] = {
        "\r\n",
        "x",
        "HTTP/1.1 400 Bad Request\r\n",
        "$x\r\n",
        "$-2\r\n",
        "*-2\r\n",
        "*x\r\n",
        ":x\r\n",
        ":\r\n",
        ":1x\r\n",
        ":9223372036854775808\r\n",
        "*1\r\nx",
        "*2\r\n+a\r\n!",
        // RESP3, which nobody has asked for.
        "_\r\n",
        "#t\r\n",
        ",1.5\r\n",
        "%1\r\n+a\r\n+b\r\n",
        "~1\r\n+a\r\n",
        ">1\r\n+a\r\n",
        "(1234567890123456789012345678901234567890\r\n",
        "=7\r\ntxt:abc\r\n",
        "*1\r\n#t\r\n",
        "*1\r\n,1\r\n",
    };
    for (const std::string_view text : cases) {
        const std::string after = "+OK\r\n" + std::string(text) + "+OK\r\n";
        everyCut(after, [&](const Pieces& pieces) {
            const Outcome outcome = read(pieces);
            if (outcome.end != Next::Malformed && outcome.end != Next::NoMemory) {
                fail_msg("%s: %d", readable(pieces).c_str(), static_cast<int>(outcome.end));
            }
            assert_true(outcome.end == Next::Malformed);
            assert_true(outcome.replies == std::vector<std::string>{"+OK"});
        });
    }
}

std::string nested(size_t levels) {
    std::string out;
    for (size_t level = 0; level < levels; ++level) {
        out += "*1\r\n";
    }
    return out + ":1\r\n";
}

void testDepth(void**) {
    assertText(readOne(nested(7)), "[[[[[[[:1]]]]]]]", "7");
    assert_true(read({nested(8)}).end == Next::Malformed);
    assert_true(read({nested(9)}).end == Next::Malformed);
    assert_true(read({nested(100000)}).end == Next::Malformed);
}

// A failure lasts until the reader is reset.
void testReset(void**) {
    for (const std::string& bad :
         {std::string("x"), bulk(std::string(4000, 'x')), "+" + std::string(4000, 'x')}) {
        ReplyReader reader(1000);
        for (int round = 0; round < 3; ++round) {
            const Reply* reply = nullptr;
            assert_true(reader.feed("*2\r\n+a\r\n"));
            assert_true(reader.next(reply) == Next::Incomplete);
            assert_true(reader.feed(bad));
            const Next failure = reader.next(reply);
            assert_true(failure == Next::Malformed || failure == Next::TooLarge);
            assert_true(reader.next(reply) == failure);
            assert_false(reader.feed("+OK\r\n"));
            assert_true(reader.next(reply) == failure);
            reader.reset();
            assert_true(reader.feed("+OK\r\n"));
            assert_true(reader.next(reply) == Next::Reply);
            assertText(describe(*reply), "+OK", "after");
            reader.reset(); // also in the middle, and of nothing
            reader.reset();
        }
    }
}

// The same limits for each way to cut. A reply that is read is read whole.
void testLimit(void**) {
    const std::string cases[] = {kXread, bulk(std::string(300, 'x')), "+" + std::string(300, 'x') + "\r\n",
                                 array(std::vector<std::string>(5, ":1\r\n"))};
    for (const std::string& bytes : cases) {
        const std::string_view text = bytes;
        size_t least = 0; // that is enough
        while (read({text}, least).end != Next::Incomplete) {
            assert_true(read({text}, least).end == Next::TooLarge);
            ++least;
        }
        assert_true(least >= bytes.size() && least < 60 + 16 * bytes.size());
        for (size_t most = 0; most < least + 20; ++most) {
            const Outcome whole = read({text}, most);
            assert_int_equal(whole.replies.size(), most < least ? 0 : 1);
            for (size_t cut = 0; cut <= text.size(); ++cut) {
                const Outcome cutInTwo = read({text.substr(0, cut), text.substr(cut)}, most);
                assert_true(cutInTwo.end == whole.end && cutInTwo.replies == whole.replies);
            }
        }
    }
}

// What is claimed and does not come is only waited for.
void testClaims(void**) {
    for (const std::string_view text :
         {"*1000000000\r\n", "$536870912\r\nabc", "*2147483647\r\n*2147483647\r\n$5\r\n"}) {
        everyCut(text, [&](const Pieces& pieces) {
            const Outcome outcome = read(pieces, 400);
            assert_true(outcome.end == Next::Incomplete && outcome.replies.empty());
        });
    }
    // And when it comes, the limit ends it.
    ReplyReader reader(kPlenty);
    const Reply* reply = nullptr;
    assert_true(reader.feed("*1000000000\r\n"));
    size_t fed = 0;
    while (reader.next(reply) == Next::Incomplete) {
        assert_true(reader.feed(":1\r\n:22\r\n:333\r\n"));
        fed += 15;
    }
    assert_true(reader.next(reply) == Next::TooLarge);
    assert_in_range(fed, kPlenty / 20, kPlenty);

    reader.reset();
    assert_true(reader.feed("$536870912\r\n"));
    const std::string some(10000, 'x');
    for (fed = 0; reader.next(reply) == Next::Incomplete; fed += some.size()) {
        assert_true(reader.feed(some));
    }
    assert_true(reader.next(reply) == Next::TooLarge);
    assert_in_range(fed, kPlenty - some.size(), kPlenty + some.size());
}

// A reply that is too large tells the entry at which it is, and nothing that stands in an entry passes for an
// id.
void testLastId(void**) {
    const std::string evil = array({bulk("9-9"), bulks({"8-8", "7-7"})});
    const std::string range = array({entry("1-1", {"5-5", "6-6"}), entry("2-0", {"9-9", "8-8", "7-7", "6-6"}),
                                     entry("3-0", {"data", std::string(3000, 'x')})});
    const std::string reads =
        array({array({bulk("s"), array({entry("1-1", {"5-5", "6-6"}), entry("2-0", {"9-9", evil}),
                                        entry("3-0", {"9-9", std::string(3000, 'x')})})})});
    for (const std::string& bytes : {range, reads}) {
        std::vector<std::string> seen;
        for (size_t most = 0; read({bytes}, most).end == Next::TooLarge; ++most) {
            const std::string id = read({bytes}, most).lastId;
            if (seen.empty() || seen.back() != id) {
                seen.push_back(id);
            }
            for (size_t length = 1; length < 100; length += 17) {
                Pieces pieces;
                for (size_t at = 0; at < bytes.size(); at += length) {
                    pieces.push_back(std::string_view(bytes).substr(at, length));
                }
                const std::string cut = read(pieces, most).lastId;
                assert_true(cut == id);
            }
        }
        // Between two entries there is none.
        assert_true(seen == std::vector<std::string>({"", "1-1", "", "2-0", "", "3-0"}));
    }
    // An entry whose id has come and nothing else.
    assertText(read({array({entry("3-4", {"data", std::string(3000, 'x')})})}, 1000).lastId, "3-4", "range");
    // Other answers have none.
    for (const std::string& bytes : {bulk(std::string(3000, 'x')), bulks({"1-1", std::string(3000, 'x')}),
                                     array({bulks({"a", "1-1", std::string(3000, 'x')})}),
                                     array({array({bulk("1-x"), bulk(std::string(3000, 'x'))})})}) {
        assertText(read({bytes}, 1000).lastId, "", "other");
    }
    // The next reply forgets it.
    assertText(read({reads + bulk(std::string(300000, 'x'))}, 200000).lastId, "", "next");
}

// The tree of a reply is gone with the next one, and its memory is used again.
// A reply stays while the next one is read, if that is wanted; the limit is for both.
void testKeep(void**) {
    const std::string first = bulks({"a", std::string(3000, 'b')});
    ReplyReader reader(8000);
    const Reply* kept = nullptr;
    const Reply* reply = nullptr;
    assert_true(reader.feed(first + "$1\r\n7"));
    assert_int_equal(reader.next(kept), Next::Reply);
    const std::string text = describe(*kept);
    reader.keep(true);
    assert_int_equal(reader.next(reply), Next::Incomplete);
    assert_true(reader.feed("\r\n" + first));
    assert_int_equal(reader.next(reply), Next::Reply);
    assertText(describe(*reply), "\"7\"", "the next one");
    assertText(describe(*kept), text, "the one that is kept");
    assert_int_equal(reader.next(reply), Next::Reply);
    assertText(describe(*kept), text, "the one that is kept");
    reader.keep(false);
    for (int i = 0; i < 10; ++i) {
        assert_true(reader.feed(first));
        assert_int_equal(reader.next(reply), Next::Reply);
    }
    reader.keep(true);
    assert_true(reader.feed(first + first));
    assert_int_equal(reader.next(reply), Next::Reply);
    assert_int_equal(reader.next(reply), Next::TooLarge);
}

void testMany(void**) {
    ReplyReader reader(200 * 1024);
    for (int round = 0; round < 200; ++round) {
        const std::string text(static_cast<size_t>(round) * 700, static_cast<char>('a' + round % 26));
        assert_true(reader.feed(array({bulk("x"), bulk(text)})));
        const Reply* reply = nullptr;
        assert_true(reader.next(reply) == Next::Reply);
        assertText(reply->at(1)->text, text, "text");
        assert_true(reader.next(reply) == Next::Incomplete);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testKinds),  cmocka_unit_test(testAccess), cmocka_unit_test(testMalformed),
        cmocka_unit_test(testDepth),  cmocka_unit_test(testReset),  cmocka_unit_test(testLimit),
        cmocka_unit_test(testClaims), cmocka_unit_test(testLastId), cmocka_unit_test(testKeep),
        cmocka_unit_test(testMany),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
