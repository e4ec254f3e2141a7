// A publisher's ids: which may be given, how any other is written, and how both are found again.
#include "sse/publisher_id.hpp"

#include <algorithm>

#include "log/event_id.hpp"
#include "pieces.hpp"

using namespace sse;

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~=+/-";

std::string escaped(std::string_view text) {
    return std::string(escapePublisherId(Exact(text).view()).view());
}

std::string onWire(std::string_view text) {
    return std::string(publisherIdOnWire(Exact(text).view()).view());
}

void testAlphabet(void**) {
    for (int byte = 0; byte < 0x100; ++byte) {
        const char c = static_cast<char>(byte);
        const bool allowed = kAlphabet.find(c) != std::string_view::npos;
        assert_int_equal(isPublisherId({&c, 1}), allowed);
        const std::string inside = std::string("a") + c + "b";
        assert_int_equal(isPublisherId(inside), allowed);
        char escape[4];
        snprintf(escape, sizeof(escape), "%%%02X", static_cast<unsigned>(byte));
        assertText(escaped(inside), allowed ? inside : std::string("a") + escape + "b", readable(inside));
    }
}

void testLength(void**) {
    assert_false(isPublisherId(""));
    assert_true(isPublisherId(std::string(86, 'a')));
    assert_false(isPublisherId(std::string(87, 'a')));
    assertText(escaped(std::string(86, 'a')), std::string(86, 'a'), "86");
    assertText(escaped(std::string(87, 'a')), "", "87");
    assertText(escaped(std::string(83, 'a') + ":"), std::string(83, 'a') + "%3A", "86 escaped");
    assertText(escaped(std::string(84, 'a') + ":"), "", "87 escaped");
    assertText(escaped(":" + std::string(84, 'a')), "", "87 escaped");
    assertText(escaped(std::string(8000, ':')), "", "8000");
    assertText(onWire(std::string(8000, 'a')), "", "8000");
    assertText(onWire("%3A" + std::string(83, 'a')), "%3A" + std::string(83, 'a'), "86 on the wire");
    assertText(onWire("%3A" + std::string(84, 'a')), "", "87 on the wire");
}

void testForms(void**) {
    const struct {
        std::string_view id;
        std::string_view form;
    } cases[] = {
        {"", ""},
        {"plain-1", "plain-1"},
        {"urn:uuid:1", "urn%3Auuid%3A1"},
        {"1:2", "1%3A2"},
        {"2024-05-01T12:30:00Z", "2024-05-01T12%3A30%3A00Z"},
        {"{\"a\":[1, 2]}", "%7B%22a%22%3A%5B1%2C%202%5D%7D"},
        {"100%", "100%25"},
        {"%3A", "%253A"},
        {"\u00e9", "%C3%A9"},
        {"\U0001f600", "%F0%9F%98%80"},
        {"\xff\x01\t", "%FF%01%09"},
        {" a ", "%20a%20"},
        {"\0"sv, "%00"},
    };
    for (const auto& c : cases) {
        assertText(escaped(c.id), c.form, readable(c.id));
        assertText(onWire(c.form), c.form, "the form of " + readable(c.id));
        assert_int_equal(isPublisherId(c.id), !c.id.empty() && c.id == c.form);
    }
}

// What the log would take for its own must not be one of its ids when it comes back alone, as a client's
// cursor is read: up to a "~".
void testFormOfTheLog(void**) {
    const struct {
        std::string_view id;
        std::string_view form;
    } cases[] = {
        {"1526919030474-55", "1526919030474%2D55"},
        {"0-0", "0%2D0"},
        {"1-2~x", "1%2D2~x"},
        {"1-2~", "1%2D2~"},
        {"1-2~3-4", "1%2D2~3-4"},
        {"1-2~:-", "1%2D2~%3A-"},
        {"99999999999999999999999-1", "99999999999999999999999%2D1"},
        {"1-99999999999999999999999", "1%2D99999999999999999999999"},
        {"1-2-3", "1-2-3"},
        {"1-", "1-"},
        {"-1", "-1"},
        {"-", "-"},
        {"1", "1"},
        {"1-x", "1-x"},
        {"1-2x", "1-2x"},
        {"x1-2", "x1-2"},
        {"1~2-3", "1~2-3"},
        {"1--2", "1--2"},
        {"1-~2", "1-~2"},
        {"+1-2", "+1-2"},
        {"1-2 ", "1-2%20"},
    };
    for (const auto& c : cases) {
        assertText(escaped(c.id), c.form, readable(c.id));
        assertText(onWire(c.form), c.form, readable(c.form));
        assertText(onWire(c.id), c.form, readable(c.id));
        assert_int_equal(isPublisherId(c.id), c.id == c.form);
        assert_false(parseEventId(c.form.substr(0, c.form.find('~'))).has_value());
    }
}

// A client comes back with the id as it was given, or as it stood on the wire.
void testOnWire(void**) {
    const struct {
        std::string_view cursor;
        std::string_view form;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"urn:uuid:1", "urn%3Auuid%3A1"},
        {"urn%3Auuid%3A1", "urn%3Auuid%3A1"},
        {"urn%3auuid%3a1", "urn%253auuid%253a1"}, // no form of any id: hex digits are upper-case there,
        {"%41", "%2541"},                         // and nothing is escaped in vain
        {"%2D", "%252D"},
        {"100%", "100%25"},
        {"100%25", "100%25"},
        {"100%zz", "100%25zz"},
        {"100%2", "100%252"},
        {"100%252", "100%252"},
        {"a%3Ab:c", "a%253Ab%3Ac"}, // half of it is in the form: so it is not
        {"\xc3\xa9%C3%A9", "%C3%A9%25C3%25A9"},
    };
    for (const auto& c : cases) {
        assertText(onWire(c.cursor), c.form, readable(c.cursor));
    }
}

// Over all short ids of these bytes: two never have the same form, and each form leads to itself.
void testFormsAreDistinct(void**) {
    constexpr std::string_view kBytes = "1-~%2D:";
    std::vector<std::string> ids = {""};
    std::vector<std::string> forms;
    for (size_t first = 0, length = 1; length <= 5; ++length) {
        const size_t last = ids.size();
        for (; first < last; ++first) {
            for (const char c : kBytes) {
                ids.push_back(ids[first] + c);
            }
        }
    }
    for (const std::string& id : ids) {
        forms.push_back(escaped(id));
        assertText(onWire(forms.back()), forms.back(), readable(id));
        assert_false(parseEventId(forms.back().substr(0, forms.back().find('~'))).has_value());
    }
    std::sort(forms.begin(), forms.end());
    assert_true(std::adjacent_find(forms.begin(), forms.end()) == forms.end());
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testAlphabet), cmocka_unit_test(testLength),
        cmocka_unit_test(testForms),    cmocka_unit_test(testFormOfTheLog),
        cmocka_unit_test(testOnWire),   cmocka_unit_test(testFormsAreDistinct),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
