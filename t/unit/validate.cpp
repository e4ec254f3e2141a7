// What may go onto the wire, at the borders of each rule.
#include "sse/validate.hpp"

#include "pieces.hpp"
#include "sse/encode.hpp"

using namespace sse;

namespace {

// One character of at most three bytes, encoded by hand.
std::string utf8(unsigned code) {
    const auto more = [&](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) {
        return {static_cast<char>(code)};
    }
    if (code < 0x800) {
        return {static_cast<char>(0xc0 | code >> 6), more(0)};
    }
    return {static_cast<char>(0xe0 | code >> 12), more(6), more(0)};
}

using Predicate = bool (*)(std::string_view) noexcept;

void assertEvery(Predicate predicate, std::initializer_list<std::string_view> texts, bool expected) {
    for (std::string_view text : texts) {
        if (predicate(Exact(text).view()) != expected) {
            fail_msg("\"%s\" should%s pass", readable(text).c_str(), expected ? "" : " not");
        }
    }
}

// No predicate lets a control character through, wherever it is: C0, DEL, C1, and the two of Unicode that end
// a line.
void assertNoControls(Predicate predicate) {
    for (unsigned code = 0; code <= 0x2029; code = code == 0x1f ? 0x7f : code == 0x9f ? 0x2028 : code + 1) {
        const std::string control = utf8(code);
        for (size_t place = 0; place < 20; ++place) {
            std::string text(20, 'a');
            assert_true(predicate(text));
            text.replace(place, 1, control);
            assert_false(predicate(text));
        }
    }
}

void testChannelName(void**) {
    assertEvery(isChannelName,
                {"a", " ", " a ", "a/b", "..", "news,sport", "\u00e9", "\u00a0", "\u2027", "\u202a",
                 "\U0001f600", "a:b"},
                true);
    assertEvery(isChannelName, {"", "a\n", "a\r", "\0"sv, "a\0b"sv, "\x7f", "\x1f", "\xff", "\xc3"}, false);
    assertNoControls(isChannelName);
    assert_true(isChannelName(std::string(255, 'a')));
    assert_false(isChannelName(std::string(256, 'a')));
}

void testEventType(void**) {
    assertEvery(isEventType,
                {"a", "a b", "a ", ":", "a: b", "data: x", "\u00e9", "\u00a0", "\u2027", "\u202a", "\ufeff"},
                true);
    assertEvery(
        isEventType,
        {"", " ", " a", "a\nb", "a\rb", "a\r\n", "\n", "a\0"sv, "\t", "a\x7f", "\xed\xa0\x80", "a\xe2\x80"},
        false);
    assertNoControls(isEventType);
    assert_true(isEventType(std::string(128, 'a')));
    assert_false(isEventType(std::string(129, 'a')));
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
        cmocka_unit_test(testChannelName),
        cmocka_unit_test(testEventType),
        cmocka_unit_test(testRetry),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
