// JSON, with strings from any bytes.
#include "sse/json.hpp"

#include "pieces.hpp"
#include "sse/utf8.hpp"

namespace {

std::string json(std::string_view text) {
    const Exact exact(text);
    sse::Buffer out;
    sse::JsonWriter json(out);
    json.string(exact.view());
    assert_true(json.isComplete());
    return std::string(out.view());
}

void testStrings(void**) {
    const struct {
        std::string_view text;
        std::string_view json;
    } cases[] = {
        {"", "\"\""},
        {"plain text", "\"plain text\""},
        {"\"", R"("\"")"},
        {"\\", R"("\\")"},
        {"a\"b\\c", R"("a\"b\\c")"},
        {"/<>&'", "\"/<>&'\""},
        {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
        {"\0\x01\x1f\x7f"sv, R"("\u0000\u0001\u001f\u007f")"},
        {"\u00e9\u20ac\U0001f600", "\"\u00e9\u20ac\U0001f600\""},
        {"\xc2\x80\u0085\xc2\x9f", R"("\u0080\u0085\u009f")"},
        {"\u00a0\u2027\u202a", "\"\u00a0\u2027\u202a\""},
        {"a\u2028b\u2029", R"("a\u2028b\u2029")"},
        {"\xff", "\"\ufffd\""},
        {"a\xff\xfe z", "\"a\ufffd\ufffd z\""},
        {"\x80", "\"\ufffd\""},
        {"\xc3", "\"\ufffd\""},
        {"\xc3(", "\"\ufffd(\""},
        {"\xc3\"", "\"\ufffd\\\"\""},
        {"\xe2\x82", "\"\ufffd\""},
        {"\xe2\x82\xe2\x82\xac", "\"\ufffd\u20ac\""},
        {"\xf0\x9f\x98\n", "\"\ufffd\\n\""},
        {"\xc0\xaf", "\"\ufffd\ufffd\""},
        {"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
        {"\xf4\x90\x80\x80", "\"\ufffd\ufffd\ufffd\ufffd\""},
    };
    for (const auto& c : cases) {
        assertText(json(c.text), c.json, readable(c.text));
    }
}

// Whatever goes in, what comes out is UTF-8, without a control character, with each quote inside escaped.
void testEveryPairOfBytes(void**) {
    for (int pair = 0; pair < 0x10000; ++pair) {
        const char text[] = {static_cast<char>(pair >> 8), static_cast<char>(pair)};
        const std::string out = json({text, 2});
        assert_true(sse::isUtf8(out));
        assert_true(out.size() >= 3 && out.front() == '"' && out.back() == '"');
        for (size_t i = 1; i + 1 < out.size(); ++i) {
            assert_true(static_cast<unsigned char>(out[i]) >= 0x20);
            assert_true(out[i] != '"');
            i += out[i] == '\\' ? 1 : 0;
            assert_true(i + 1 < out.size());
        }
    }
}

void testWriter(void**) {
    sse::Buffer out;
    sse::JsonWriter json(out);
    json.beginObject()
        .keyOf("a\"\n")
        .string("x\n")
        .member("n", uint64_t{18446744073709551615U})
        .key("none")
        .null();
    json.key("list").beginArray().number(0).beginObject().endObject().beginArray().endArray().string("");
    json.endArray().member("last", "y").endObject();
    assert_true(json.isComplete());
    assert_true(out.view() ==
                R"({"a\"\n":"x\n","n":18446744073709551615,"none":null,"list":[0,{},[],""],"last":"y"})");
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testStrings),
        cmocka_unit_test(testEveryPairOfBytes),
        cmocka_unit_test(testWriter),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
