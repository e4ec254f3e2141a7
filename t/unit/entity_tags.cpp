// If-Match and If-None-Match.
#include <string>
#include <vector>

#include "cmocka.hpp"
#include "sse/entity_tags.hpp"

using namespace sse;

namespace {

// What it names, strongly; nothing if it is malformed.
std::optional<std::vector<std::string>> tags(std::string_view text) {
    const std::optional<EntityTags> parsed = EntityTags::parse(text);
    if (!parsed) {
        return std::nullopt;
    }
    std::vector<std::string> all;
    if (!parsed->isAny()) {
        parsed->contains([&](std::string_view tag) noexcept {
            all.emplace_back(tag);
            return false;
        });
    }
    return all;
}

using List = std::vector<std::string>;

void readsLists(void**) {
    assert_true(tags("\"5-1\"") == List{"5-1"});
    assert_true(tags("\"a\",\"b\"") == (List{"a", "b"}));
    assert_true(tags(" \"a\" ,\t\"b\" ") == (List{"a", "b"}));
    assert_true(tags(",\"a\",,\"b\",") == (List{"a", "b"}));
    assert_true(tags("\"\"") == List{""});
    assert_true(tags("W/\"a\", \"b\"") == List{"b"}); // a weak one equals nothing
    assert_true(tags("\"a,b\"") == List{"a,b"});
    assert_true(tags("\"\xc3\xa9\"") == List{"\xc3\xa9"});
}

void readsTheStar(void**) {
    assert_true(EntityTags::parse("*")->isAny());
    assert_true(EntityTags::parse(" * ")->isAny());
    assert_false(EntityTags::parse("\"*\"")->isAny());
}

void refusesTheRest(void**) {
    for (const char* text : {"", " ", ",", "5-1", "\"a", "a\"", "\"a\" \"b\"", "\"a\"b", "\"a b\"", "w/\"a\"",
                             "W/", "*,\"a\"", "\"a\", *", "**", "\"a\x01\"", "\"a\x7f\"", "'a'"}) {
        assert_true(!EntityTags::parse(text));
    }
    assert_true(!EntityTags::parse(std::string_view("\"\0\"", 3)));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(readsLists),
        cmocka_unit_test(readsTheStar),
        cmocka_unit_test(refusesTheRest),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
