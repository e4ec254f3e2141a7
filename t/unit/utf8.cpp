// UTF-8 at the borders of each of its rules.
#include "sse/utf8.hpp"

#include "pieces.hpp"

using namespace sse;

namespace {

void assertUtf8(std::string_view text, bool valid) {
    if (isUtf8(Exact(text).view()) != valid) {
        fail_msg("\"%s\" is %svalid", readable(text).c_str(), valid ? "" : "in");
    }
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

// The first character, and how far it goes: an invalid sequence goes on as long as it could still be one.
void testFirstCharacter(void**) {
    constexpr char32_t kNone = Character::kInvalid;
    const struct {
        std::string_view text;
        char32_t code;
        size_t length;
    } cases[] = {
        {"a\xff", 'a', 1},
        {"\0"sv, 0, 1},
        {"\x7f", 0x7f, 1},
        {"\xc2\x80", 0x80, 2},
        {"\u00e9\xff", 0xe9, 2},
        {"\u2028z", 0x2028, 3},
        {"\uffff", 0xffff, 3},
        {"\U0001f600\u00e9", 0x1f600, 4},
        {"\U0010ffff", 0x10ffff, 4},
        {"\x80", kNone, 1},
        {"\xbf\xbf", kNone, 1},
        {"\xc0\x80", kNone, 1},
        {"\xc3", kNone, 1},
        {"\xc3z", kNone, 1},
        {"\xe0\x9f\xbf", kNone, 1},
        {"\xed\xa0\x80", kNone, 1},
        {"\xe2\x82", kNone, 2},
        {"\xe2\x82\xc0", kNone, 2},
        {"\xf0\x8f\xbf\xbf", kNone, 1},
        {"\xf0\x90\x80z", kNone, 3},
        {"\xf0\x9f\x98", kNone, 3},
        {"\xf4\x90\x80\x80", kNone, 1},
        {"\xf5\x80", kNone, 1},
        {"\xff", kNone, 1},
    };
    for (const auto& c : cases) {
        const Exact exact(c.text);
        const Character character = firstCharacter(exact.view());
        if (character.code != c.code || character.length != c.length) {
            fail_msg("\"%s\" gives %x, %zu bytes", readable(c.text).c_str(),
                     static_cast<unsigned>(character.code), character.length);
        }
        assert_int_equal(validLength(exact.view()) == 0, c.code == kNone);
    }
}

// Every character, and what it is read as again.
void testWrite(void**) {
    for (char32_t code = 0; code <= 0x10ffff; ++code) {
        if (code >= 0xd800 && code <= 0xdfff) {
            continue;
        }
        char bytes[4];
        const std::string_view text(bytes, writeUtf8(code, bytes));
        const Character character = firstCharacter(text);
        assert_true(character.code == code && character.length == text.size());
    }
}

void testControls(void**) {
    for (char32_t code = 0; code <= 0x10ffff; ++code) {
        const bool control =
            code <= 0x1f || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029;
        assert_int_equal(isControl(code), control);
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

// Into a block of exactly the announced size, with the text somewhere else and at the end of that block, and
// after other text in a buffer.
std::string repaired(std::string_view text, size_t& replaced) {
    const Exact exact(text);
    const Repair plan = planRepair(exact.view());
    replaced = plan.replaced;
    const std::unique_ptr<char[]> out(new char[plan.size]);
    assert_ptr_equal(repairUtf8(exact.view(), out.get()), out.get() + plan.size);
    const std::string result(out.get(), plan.size);

    char* const place = out.get() + plan.size - text.size();
    text.copy(place, text.size());
    assert_ptr_equal(repairUtf8({place, text.size()}, out.get()), out.get() + plan.size);
    assertText({out.get(), plan.size}, result, "in place: " + readable(text));

    Buffer buffer;
    assert_true(buffer.append("before\xff") && buffer.append(text));
    assert_true(repairUtf8(buffer, 7, plan, 7 + plan.size));
    assertText(buffer.view(), "before\xff" + result, "in a buffer: " + readable(text));
    return result;
}

void testRepair(void**) {
    const struct {
        std::string_view text;
        std::string_view repaired;
        size_t replaced;
    } cases[] = {
        {"", "", 0},
        {"plain", "plain", 0},
        {"a\u00e9\u20ac\U0001f600z", "a\u00e9\u20ac\U0001f600z", 0},
        {"\0\xff"sv, "\0\ufffd"sv, 1},
        // Lone continuation bytes, and bytes that are in no character.
        {"\x80", "\ufffd", 1},
        {"a\x80\xbfz", "a\ufffd\ufffdz", 2},
        {"\xfe\xff", "\ufffd\ufffd", 2},
        {"\xf5\x80\x80\x80", "\ufffd\ufffd\ufffd\ufffd", 4},
        {"\xf8\x88\x80\x80\x80", "\ufffd\ufffd\ufffd\ufffd\ufffd", 5},
        // Overlong forms, surrogates, beyond the last character.
        {"\xc0\xaf", "\ufffd\ufffd", 2},
        {"\xc1\xbf", "\ufffd\ufffd", 2},
        {"\xe0\x80\xaf", "\ufffd\ufffd\ufffd", 3},
        {"\xe0\x9f\xbf", "\ufffd\ufffd\ufffd", 3},
        {"\xf0\x80\x80\xaf", "\ufffd\ufffd\ufffd\ufffd", 4},
        {"\xed\xa0\x80\xed\xbf\xbf", "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd", 6},
        {"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd", 4},
        // Cut off at the end, and by something else: one replacement for what could have been a character.
        {"\xc3", "\ufffd", 1},
        {"\xe2\x82", "\ufffd", 1},
        {"\xf0\x9f\x98", "\ufffd", 1},
        {"\xf0\x9f", "\ufffd", 1},
        {"\xe2\x82z", "\ufffdz", 1},
        {"\xc3\xc3\xa9", "\ufffd\u00e9", 1},
        {"\xe2\x82\xe2\x82\xac", "\ufffd\u20ac", 1},
        {"\xf0\x9f\x98\xf0\x9f\x98\x80", "\ufffd\U0001f600", 1},
        {"\xf1\x80\x80\xc0", "\ufffd\ufffd", 2},
        {"\xf1\x80\xc0\x80", "\ufffd\ufffd\ufffd", 3},
        // The examples of the Unicode standard, tables 3-8 to 3-11.
        {"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdA", 8},
        {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdA", 8},
        {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", "\ufffd\ufffd\ufffd\ufffd\ufffdA\ufffd\ufffdB", 7},
        {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "\ufffd\ufffd\ufffd\ufffdA", 4},
    };
    for (const auto& c : cases) {
        size_t replaced = 0;
        assertText(repaired(c.text, replaced), c.repaired, readable(c.text));
        assert_int_equal(replaced, c.replaced);
    }
}

// All pairs and all triples around the borders: the result is UTF-8, and is not repaired again.
void testRepairedIsValid(void**) {
    constexpr std::string_view kBytes =
        "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xdf\xe0\xe1\xed\xef\xf0\xf4\xf5\xff";
    for (const char first : kBytes) {
        for (const char second : kBytes) {
            for (const char third : kBytes) {
                const char text[] = {first, second, third};
                size_t replaced = 0;
                const std::string once = repaired({text, 3}, replaced);
                assert_true(isUtf8(once));
                assert_int_equal(replaced == 0, isUtf8({text, 3}));
                assertText(repaired(once, replaced), once, readable({text, 3}));
                assert_int_equal(replaced, 0);
            }
        }
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testUtf8Borders),  cmocka_unit_test(testFirstCharacter),
        cmocka_unit_test(testControls),     cmocka_unit_test(testUtf8AllShortSequences),
        cmocka_unit_test(testUtf8AllFours), cmocka_unit_test(testUtf8FindsABadByteAnywhere),
        cmocka_unit_test(testRepair),       cmocka_unit_test(testRepairedIsValid),
        cmocka_unit_test(testWrite),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
