// Percent-decoding of query arguments.
#include "sse/percent.hpp"

#include "pieces.hpp"

namespace {

void testDecode(void**) {
    const struct {
        std::string_view text;
        std::string_view decoded;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"a%20b", "a b"},
        {"a+b", "a+b"},
        {"%41%62%7a", "Abz"},
        {"%0a%0D", "\n\r"},
        {"%00", "\0"sv},
        {"%c3%A9", "\u00e9"},
        {"%ff", "\xff"},
        {"%", "%"},
        {"a%", "a%"},
        {"%4", "%4"},
        {"%4g", "%4g"},
        {"%g4", "%g4"},
        {"%%41", "%A"},
        {"%4%41", "%4A"},
        {"%2541", "%41"},
        {"%-1", "%-1"},
        {"% 1", "% 1"},
        {"%@0%`0%G0%/0%:0", "%@0%`0%G0%/0%:0"},
        {"%41%", "A%"},
    };
    for (const auto& c : cases) {
        const Exact exact(c.text);
        std::string out(c.text.size(), '?');
        out.resize(sse::percentDecode(exact.view(), out.data()));
        assertText(out, c.decoded, readable(c.text));

        std::string place(c.text);
        place.resize(sse::percentDecode(place, place.data()));
        assertText(place, c.decoded, readable(c.text) + " in place");
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(testDecode)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
