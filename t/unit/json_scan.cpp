// JSON is scanned in the same way wherever it is cut, and invalid JSON is noticed at its first wrong byte.
#include "sse/json_scan.hpp"

#include "pieces.hpp"

using sse::JsonScanner;
using sse::JsonToken;

namespace {

// What the scanner says of a text.
struct Scan {
    std::string structure; // brackets as they are, N and S for names and strings, # for scalars
    std::string texts;     // what these stand for, each with | after it
    std::string raw;       // all bytes of the parts
    bool isComplete = false;
    bool isTooDeep = false;
    uint64_t faultAt = UINT64_MAX; // none

    bool operator==(const Scan&) const = default;
};

void add(Scan& scan, const sse::JsonPart& part) {
    scan.raw += part.raw;
    switch (part.token) {
    case JsonToken::ObjectBegin:
    case JsonToken::ObjectEnd:
    case JsonToken::ArrayBegin:
    case JsonToken::ArrayEnd:
        scan.structure += part.raw;
        break;
    case JsonToken::NameBegin:
        scan.structure += 'N';
        break;
    case JsonToken::StringBegin:
        scan.structure += 'S';
        break;
    case JsonToken::Text:
        scan.texts += part.text;
        break;
    case JsonToken::Scalar:
        scan.texts += part.raw;
        break;
    case JsonToken::ScalarEnd:
        scan.structure += '#';
        [[fallthrough]];
    case JsonToken::TextEnd:
        scan.texts += '|';
        break;
    case JsonToken::More:
    case JsonToken::Space:
    case JsonToken::Fault:
    case JsonToken::TooDeep:
        break;
    }
}

Scan scanned(const Pieces& pieces) {
    JsonScanner scanner;
    Scan scan;
    for (std::string_view piece : pieces) {
        const Exact exact(piece);
        std::string_view rest = exact.view();
        for (;;) {
            const sse::JsonPart part = scanner.next(rest);
            if (part.token == JsonToken::Fault || part.token == JsonToken::TooDeep) {
                scan.faultAt = scanner.position();
                scan.isTooDeep = part.token == JsonToken::TooDeep;
                return scan;
            }
            add(scan, part);
            if (part.token == JsonToken::More) {
                break;
            }
        }
        assert_true(rest.empty());
    }
    scan.isComplete = scanner.isComplete();
    return scan;
}

void testTaken(void**) {
    const struct {
        std::string_view text;
        std::string_view structure;
        std::string_view texts;
    } cases[] = {
        {"", "", ""},
        {" \t\r\n", "", ""},
        {"\ufeff{}", "{}", ""},
        {"{}", "{}", ""},
        {"[]", "[]", ""},
        {" [ { } , [ ] ] ", "[{}[]]", ""},
        {R"({"a":"b"})", "{NS}", "a|b|"},
        {R"({"a" : 1 , "b" : [ true , false , null ] })", "{N#N[###]}", "a|1|b|true|false|null|"},
        {R"({"":""})", "{NS}", "||"},
        {R"({"a":1,"a":2})", "{N#N#}", "a|1|a|2|"},
        {"[0,-0,10,-9.5,0.00,1e5,1E+5,2.5e-10]", "[########]", "0|-0|10|-9.5|0.00|1e5|1E+5|2.5e-10|"},
        {R"(["\"\\\/\b\f\n\r\t"])", "[S]", "\"\\/\b\f\n\r\t|"},
        {R"(["\u0041\u00e9\u20AC\u0000b"])", "[S]", "A\u00e9\u20ac\0b|"sv},
        {R"(["\uD83D\ude00"])", "[S]", "\U0001f600|"},
        {R"(["\udbff\udfff"])", "[S]", "\U0010ffff|"},
        // Halves of a pair.
        {R"(["\ud83d"])", "[S]", "\xff|"},
        {R"(["\ude00"])", "[S]", "\xff|"},
        {R"(["\ud83dx\ude00"])", "[S]", "\xffx\xff|"},
        {R"(["\ud83d\n"])", "[S]", "\xff\n|"},
        {R"(["\ud83d\ud83d\ude00"])", "[S]", "\xff\U0001f600|"},
        {R"(["\ude00\ud83d"])", "[S]", "\xff\xff|"},
        {R"({"\ud83d":"\ud83d"})", "{NS}", "\xff|\xff|"},
        // Bytes as they are, valid or not.
        {"[\"\u00e9\U0001f600\x7f\xff\u2028\"]", "[S]", "\u00e9\U0001f600\x7f\xff\u2028|"},
        // One after the other.
        {"{}{}\n[1] [2]", "{}{}[#][#]", "1|2|"},
        {"\"a\"\"b\" 1 2 null ", "SS###", "a|b|1|2|null|"},
    };
    for (const auto& c : cases) {
        const Scan expected{.structure = std::string(c.structure),
                            .texts = std::string(c.texts),
                            .raw = std::string(c.text),
                            .isComplete = true};
        everyCut(c.text, [&](const Pieces& pieces) {
            const Scan scan = scanned(pieces);
            assertText(scan.structure, expected.structure, readable(pieces));
            assertText(scan.texts, expected.texts, readable(pieces));
            assert_true(scan == expected);
        });
    }
}

// The first byte that cannot stand where it stands.
void testFaults(void**) {
    const struct {
        std::string_view text;
        uint64_t at;
    } cases[] = {
        {"}", 0},
        {"]", 0},
        {",", 0},
        {":", 0},
        {"x", 0},
        {"{]", 1},
        {"[}", 1},
        {"[1}", 2},
        {"{\"a\":1]", 6},
        {"[,1]", 1},
        {"[1,]", 3},
        {"[1,,2]", 3},
        {"[1 2]", 3},
        {"{,}", 1},
        {"{1:2}", 1},
        {"{\"a\"}", 4},
        {"{\"a\" 1}", 5},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{\"a\":1:2}", 6},
        {"{\"a\",\"b\"}", 4},
        {"[\"a\":1]", 4},
        {"{\"a\"\"b\"}", 4},
        {"{'a':1}", 1},
        {"{a:1}", 1},
        {"[01]", 2},
        {"[-]", 2},
        {"[-a]", 2},
        {"[+1]", 1},
        {"[.5]", 1},
        {"[1.]", 3},
        {"[1.e5]", 3},
        {"[1e]", 3},
        {"[1e+]", 4},
        {"[1.5.2]", 4},
        {"[--1]", 2},
        {"[0x1]", 2},
        {"[1a]", 2},
        {"[NaN]", 1},
        {"[Infinity]", 1},
        {"[tru]", 4},
        {"[truth]", 4},
        {"[True]", 1},
        {"[nulll]", 5},
        {"[fals e]", 5},
        {"[\"\n\"]", 2},
        {"[\"\0\"]"sv, 2},
        {"[\"\x1f\"]", 2},
        {"[\"\\x\"]", 3},
        {"[\"\\'\"]", 3},
        {"[\"\\u12g4\"]", 6},
        {"[\"\\u\"]", 4},
        {"[\"\\U0041\"]", 3},
        {"[\"\\ud83d\\x\"]", 9},
        {"[\v]", 1},
        {"[\xc2\xa0]", 1},
        {"[\xff]", 1},
        {"\xef[]", 1},
        {"\xef\xbb[]", 2},
        {" \ufeff[]", 1},
        {"\ufeff\ufeff[]", 3},
        {"[\ufeff]", 1},
        {"[]// a", 2},
        {"[1/**/]", 2},
        {"{}x", 2},
        {"[\"a\"]]", 5},
        {"1x", 1},
        {"1.x", 2},
        {"\0"sv, 0},
    };
    for (const auto& c : cases) {
        everyCut(c.text, [&](const Pieces& pieces) {
            const Scan scan = scanned(pieces);
            if (scan.faultAt != c.at || scan.isTooDeep) {
                fail_msg("%s: %d instead of %d", readable(pieces).c_str(), static_cast<int>(scan.faultAt),
                         static_cast<int>(c.at));
            }
        });
    }
}

void testIncomplete(void**) {
    for (std::string_view text : {"{", "[", "[1", "[1,", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "[{}",
                                  "[tru", "\"a", "\"\\", "\"\\u12", "1.", "\xef", "\xef\xbb"}) {
        everyCut(text, [&](const Pieces& pieces) {
            const Scan scan = scanned(pieces);
            assert_int_equal(scan.faultAt, UINT64_MAX);
            assert_false(scan.isComplete);
        });
    }
}

void testDepth(void**) {
    for (const std::string& bracket : {std::string("["), std::string(R"({"a":)")}) {
        std::string text;
        for (uint32_t i = 0; i < JsonScanner::kMaxDepth; ++i) {
            text += bracket;
        }
        assert_int_equal(scanned({text}).faultAt, UINT64_MAX);
        for (std::string_view more : {"[", "{"}) {
            const Scan scan = scanned({text, more});
            assert_int_equal(scan.faultAt, text.size());
            assert_true(scan.isTooDeep);
        }
        text += bracket == "[" ? "1" : "{}";
        if (bracket == "[") {
            text += std::string(JsonScanner::kMaxDepth, ']') + "[]";
            assert_true(scanned({text}).isComplete);
        }
    }
    // Which bracket closes what is known of all levels.
    std::string mixed;
    std::string end;
    for (uint32_t i = 0; i < JsonScanner::kMaxDepth; ++i) {
        mixed += i % 3 == 0 ? R"({"a":)" : "[";
        end.insert(0, i % 3 == 0 ? "}" : "]");
    }
    assert_true(scanned({mixed, "1", end}).isComplete);
    for (size_t at = 0; at < end.size(); ++at) {
        std::string wrong = end;
        wrong[at] = wrong[at] == '}' ? ']' : '}';
        assert_int_equal(scanned({mixed, "1", wrong}).faultAt, mixed.size() + 1 + at);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testTaken),
        cmocka_unit_test(testFaults),
        cmocka_unit_test(testIncomplete),
        cmocka_unit_test(testDepth),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
