// Tokens, lists of them, and the white space around them.
#include "sse/token.hpp"

#include "pieces.hpp"

namespace {

void testIsToken(void**) {
    const std::string_view good[] = {"a", "traceparent", "X-Other", "!#$%&'*+-.^_`|~09azAZ"};
    for (std::string_view text : good) {
        assert_true(sse::isToken(Exact(text).view()));
    }
    assert_false(sse::isToken(""));
    // RFC 9110 names these among the visible bytes; all others that are no token byte are invisible.
    const std::string_view delimiters = "\"(),/:;<=>?@[\\]{}";
    for (int byte = 0; byte < 256; ++byte) {
        const std::string text{'a', static_cast<char>(byte), 'b'};
        const bool visible = byte > 0x20 && byte < 0x7f;
        const bool expected = visible && delimiters.find(static_cast<char>(byte)) == std::string_view::npos;
        if (sse::isToken(text) != expected) {
            fail_msg("%s", readable(text).c_str());
        }
    }
}

void testTrimmed(void**) {
    const struct {
        std::string_view text;
        std::string_view trimmed;
    } cases[] = {
        {"", ""}, {" ", ""}, {" \t ", ""}, {"a", "a"}, {"\t a b \t", "a b"}, {"\na\r", "\na\r"},
    };
    for (const auto& c : cases) {
        const Exact exact(c.text);
        assertText(std::string(sse::trimmed(exact.view())), c.trimmed, readable(c.text));
    }
}

void testEqualTokens(void**) {
    assert_true(sse::equalTokens("Vary", "vARY"));
    assert_true(sse::equalTokens("", ""));
    assert_false(sse::equalTokens("vary", "var"));
    assert_false(sse::equalTokens("var", "vary"));
    assert_false(sse::equalTokens("@", "`")); // which part only in the bit of case
    assert_false(sse::equalTokens("[", "{"));
}

void testHasToken(void**) {
    const struct {
        std::string_view list;
        bool has;
    } cases[] = {
        {"", false},          {"origin", true},     {"Origin", true},    {"a, ORIGIN", true},
        {"a,origin,b", true}, {" origin\t,", true}, {",,origin", true},  {"a,", false},
        {",", false},         {"origins", false},   {"x-origin", false}, {"origin x", false},
        {"a;origin", false},
    };
    for (const auto& c : cases) {
        const Exact exact(c.list);
        if (sse::hasToken(exact.view(), "Origin") != c.has) {
            fail_msg("\"%s\"", readable(c.list).c_str());
        }
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testIsToken),
        cmocka_unit_test(testTrimmed),
        cmocka_unit_test(testEqualTokens),
        cmocka_unit_test(testHasToken),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
