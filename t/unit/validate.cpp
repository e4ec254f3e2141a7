// What may go onto the wire, at the borders of each rule.
#include "sse/validate.hpp"

#include "pieces.hpp"
#include "sse/encode.hpp"

using namespace sse;

namespace {

bool checkPieces(const Pieces& pieces) {
    Utf8Checker checker;
    for (std::string_view piece : pieces) {
        const Exact exact(piece);
        if (!checker.feed(exact.view())) {
            // Once wrong, always wrong.
            assert_false(checker.feed("a"));
            assert_false(checker.feed("\x80"));
            assert_false(checker.feed(""));
            assert_false(checker.complete());
            return false;
        }
    }
    return checker.complete();
}

void assertUtf8(std::string_view text, bool valid) {
    if (isUtf8(Exact(text).view()) != valid) {
        fail_msg("\"%s\" is %svalid", readable(text).c_str(), valid ? "" : "in");
    }
    everyCut(text, [&](const Pieces& pieces) {
        if (checkPieces(pieces) != valid) {
            fail_msg("\"%s\" is %svalid", readable(pieces).c_str(), valid ? "" : "in");
        }
    });
}

void testUtf8Borders(void**) {
    // The first and last of every row of table 3-7, and what lies just outside.
    const std::string_view valid[] = {
        "",
        "\0"sv,
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xe0\xbf\xbf",
        "\xe1\x80\x80",
        "\xec\xbf\xbf",
        "\xed\x80\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf0\xbf\xbf\xbf",
        "\xf1\x80\x80\x80",
        "\xf3\xbf\xbf\xbf",
        "\xf4\x80\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xef\xbb\xbf",
        "a\u00e9\u20ac\U0001f600z",
    };
    const std::string_view invalid[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2\x7f",
        "\xc2\xc0",
        "\xdf",
        "\xe0\x9f\xbf",
        "\xe0\x80\x80",
        "\xe1\x7f\x80",
        "\xe1\x80",
        "\xe1\x80\x7f",
        "\xe1\x80\xc0",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x90\x80",
        "\xf0\x90",
        "\xf0",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80",
        "\xff",
        "\xfe",
        "\xf1\x80\x80\xc0",
        "\xf1\x80\x7f\x80",
        "\xc2\n\x80",
        "\xe2\x82\n",
        "\u00e9\x80",
        "abcdefgh\xff",
        "abcdefgh\xc3",
        "\xc3\xa9\xa9",
    };
    for (std::string_view text : valid) {
        assertUtf8(text, true);
    }
    for (std::string_view text : invalid) {
        assertUtf8(text, false);
    }
}

// The checker says so at the first byte that cannot go on, not at the end: a stream may have none.
void testUtf8IsRefusedAtOnce(void**) {
    const struct {
        std::string_view text;
        size_t bad;
    } cases[] = {
        {"\x80", 0},         {"ab\xc0", 2},     {"\xf5", 0},          {"\xc3z", 1},
        {"\xe0\x9f", 1},     {"\xed\xa0", 1},   {"\xf0\x8f", 1},      {"\xf4\x90", 1},
        {"\xe2\x82\xc0", 2}, {"\u00e9\xff", 2}, {"\xf0\x90\x80z", 3}, {"12345678\xff", 8},
    };
    for (const auto& c : cases) {
        Utf8Checker checker;
        assert_true(checker.feed(c.text.substr(0, c.bad)));
        if (checker.feed(c.text.substr(c.bad, 1))) {
            fail_msg("\"%s\" is not refused at %zu", readable(c.text).c_str(), c.bad);
        }
    }
}

// Decodes and encodes again: what is not the shortest form, or no scalar value, does not come back.
bool isScalar(std::string_view bytes) {
    const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
    for (size_t i = 1; i < bytes.size(); ++i) {
        if (at(i) >> 6 != 2) {
            return false;
        }
    }
    if (bytes.size() == 2) {
        const unsigned code = (at(0) & 0x1fu) << 6 | (at(1) & 0x3fu);
        return at(0) >> 5 == 6 && code >= 0x80;
    }
    const unsigned code = (at(0) & 0xfu) << 12 | (at(1) & 0x3fu) << 6 | (at(2) & 0x3fu);
    return at(0) >> 4 == 0xe && code >= 0x800 && (code < 0xd800 || code > 0xdfff);
}

// All pairs, and all triples with a lead byte of three, against the definition.
void testUtf8AllShortSequences(void**) {
    for (int first = 0x80; first < 0x100; ++first) {
        for (int second = 0; second < 0x100; ++second) {
            const char pair[] = {static_cast<char>(first), static_cast<char>(second)};
            assert_int_equal(isUtf8({pair, 2}), isScalar({pair, 2}));
            for (int third = 0; first >= 0xe0 && first < 0xf0 && third < 0x100; ++third) {
                const char triple[] = {pair[0], pair[1], static_cast<char>(third)};
                assert_int_equal(isUtf8({triple, 3}), isScalar({triple, 3}));
            }
        }
    }
}

// All sequences of four that have the form of one, around the borders of their range.
void testUtf8AllFours(void**) {
    for (unsigned code = 0; code < 0x200000; ++code) {
        const char four[] = {
            static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 0x3f)),
            static_cast<char>(0x80 | (code >> 6 & 0x3f)), static_cast<char>(0x80 | (code & 0x3f))};
        assert_int_equal(isUtf8({four, 4}), code >= 0x10000 && code <= 0x10ffff);
    }
}

// The fast path looks at eight bytes at once: one bad byte is found at any place in any length.
void testUtf8FindsABadByteAnywhere(void**) {
    for (size_t length = 1; length <= 40; ++length) {
        for (size_t place = 0; place < length; ++place) {
            std::string text(length, 'a');
            assert_true(isUtf8(Exact(text).view()));
            text[place] = '\x80';
            assert_false(isUtf8(Exact(text).view()));
            text[place] = '\xc3';
            assert_false(isUtf8(Exact(text).view()));
            if (place + 1 < length) {
                text[place + 1] = '\xa9';
                assert_true(isUtf8(Exact(text).view()));
            }
        }
    }
}

using Predicate = bool (*)(std::string_view) noexcept;

void assertEvery(Predicate predicate, std::initializer_list<std::string_view> texts, bool expected) {
    for (std::string_view text : texts) {
        if (predicate(Exact(text).view()) != expected) {
            fail_msg("\"%s\" should%s pass", readable(text).c_str(), expected ? "" : " not");
        }
    }
}

// No predicate lets a control byte through, wherever it is.
void assertNoControls(Predicate predicate) {
    for (int byte = 0; byte <= 0x7f; byte = byte == 0x1f ? 0x7f : byte + 1) {
        for (size_t place = 0; place < 20; ++place) {
            std::string text(20, 'a');
            assert_true(predicate(text));
            text[place] = static_cast<char>(byte);
            assert_false(predicate(text));
        }
    }
}

void testChannelName(void**) {
    assertEvery(isChannelName,
                {"a", " ", " a ", "a/b", "..", "news,sport", "\u00e9", "\u2028", "\U0001f600", "a:b"}, true);
    assertEvery(isChannelName, {"", "a\n", "a\r", "\0"sv, "a\0b"sv, "\x7f", "\x1f", "\xff", "\xc3"}, false);
    assertNoControls(isChannelName);
    assert_true(isChannelName(std::string(255, 'a')));
    assert_false(isChannelName(std::string(256, 'a')));
}

void testEventType(void**) {
    assertEvery(isEventType, {"a", "a b", "a ", ":", "a: b", "data: x", "\u00e9", "\u2028", "\ufeff"}, true);
    assertEvery(
        isEventType,
        {"", " ", " a", "a\nb", "a\rb", "a\r\n", "\n", "a\0"sv, "\t", "a\x7f", "\xed\xa0\x80", "a\xe2\x80"},
        false);
    assertNoControls(isEventType);
    assert_true(isEventType(std::string(128, 'a')));
    assert_false(isEventType(std::string(129, 'a')));
}

void testOwnId(void**) {
    constexpr std::string_view kAllowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~=+/-";
    for (int byte = 0; byte < 0x100; ++byte) {
        const char c = static_cast<char>(byte);
        const bool allowed = kAllowed.find(c) != std::string_view::npos;
        assert_int_equal(isOwnId({&c, 1}), allowed);
        const std::string inside = std::string("a") + c + "b";
        assert_int_equal(isOwnId(inside), allowed);
    }
    assert_false(isOwnId(""));
    assert_true(isOwnId(std::string(86, 'a')));
    assert_false(isOwnId(std::string(87, 'a')));
}

void testRetry(void**) {
    const struct {
        std::string_view text;
        std::optional<uint32_t> value;
    } cases[] = {
        {"0", kMinRetry},
        {"249", kMinRetry},
        {"250", 250},
        {"251", 251},
        {"000500", 500},
        {"3000", 3000},
        {"3600000", kMaxRetry},
        {"3600001", kMaxRetry},
        {"4294967295", kMaxRetry},
        {"4294967296", kMaxRetry},
        {"18446744073709551616", kMaxRetry},
        {"99999999999999999999999999999999", kMaxRetry},
        {"00000000000000000000000000000000300", 300},
        {"", std::nullopt},
        {"-1", std::nullopt},
        {"+1", std::nullopt},
        {" 1000", std::nullopt},
        {"1000 ", std::nullopt},
        {"1000x", std::nullopt},
        {"1e3", std::nullopt},
        {"1.5", std::nullopt},
        {"0x10", std::nullopt},
        {"\u0661", std::nullopt},
        {"10\0"sv, std::nullopt},
    };
    for (const auto& c : cases) {
        if (parseRetry(Exact(c.text).view()) != c.value) {
            fail_msg("\"%s\" gives %u", readable(c.text).c_str(), parseRetry(c.text).value_or(0));
        }
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testUtf8Borders),
        cmocka_unit_test(testUtf8IsRefusedAtOnce),
        cmocka_unit_test(testUtf8AllShortSequences),
        cmocka_unit_test(testUtf8AllFours),
        cmocka_unit_test(testUtf8FindsABadByteAnywhere),
        cmocka_unit_test(testChannelName),
        cmocka_unit_test(testEventType),
        cmocka_unit_test(testOwnId),
        cmocka_unit_test(testRetry),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
