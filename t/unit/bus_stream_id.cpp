// Ids of a stream become ids of the log and again ids of the stream, in the same order.
#include "bus/stream_id.hpp"

#include "pieces.hpp"

using namespace sse;

namespace {

constexpr uint64_t kMostSequence = (uint64_t{1} << 48) - 1;

void testText(void**) {
    const struct {
        StreamId id;
        std::string_view text;
    } cases[] = {
        {{0, 0}, "0-0"},
        {{1526919030474, 55}, "1526919030474-55"},
        {{UINT64_MAX, UINT64_MAX}, "18446744073709551615-18446744073709551615"},
    };
    for (const auto& c : cases) {
        assertText(StreamIdText(c.id).view(), c.text, "text");
        const auto id = parseStreamId(Exact(c.text).view());
        assert_true(id && *id == c.id);
    }
    const std::string_view none[] = {"",
                                     "-",
                                     "1",
                                     "1-",
                                     "-1",
                                     "1-2-3",
                                     "1-2 ",
                                     " 1-2",
                                     "+1-2",
                                     "1--2",
                                     "a-1",
                                     "1-a",
                                     "*",
                                     "$",
                                     "1-18446744073709551616",
                                     "18446744073709551616-1",
                                     "1-2\0"sv};
    for (const std::string_view text : none) {
        assert_false(parseStreamId(Exact(text).view()).has_value());
    }
}

void testLog(void**) {
    const StreamId ids[] = {{0, 1}, {5, 0}, {5, 1}, {5, kMostSequence}, {6, 0}, {UINT64_MAX, kMostSequence}};
    for (const uint64_t lineage : {uint64_t{1}, uint64_t{77}, kLineages - 1}) {
        EventId before;
        for (const StreamId id : ids) {
            assert_true(fitsEventId(id));
            const EventId own = toEventId(id, lineage);
            assert_true(own > before);
            assert_true(isOfLineage(own, lineage));
            assert_true(toStreamId(own) == id);
            before = own;
        }
    }
    assert_false(fitsEventId({5, kMostSequence + 1}));
    assert_false(fitsEventId({5, UINT64_MAX}));
    assert_true(toEventId({3, 2}, 9) == EventId({3, 2 * 65536 + 9}));
}

void testBefore(void**) {
    assert_true(idBefore({0, 0}) == StreamId({0, 0}));
    assert_true(idBefore({0, 1}) == StreamId({0, 0}));
    assert_true(idBefore({7, 3}) == StreamId({7, 2}));
    assert_true(idBefore({7, 0}) == StreamId({6, kMostSequence}));
    assert_true(idBefore({7, UINT64_MAX}) == StreamId({7, kMostSequence})); // which fits, as the id does not
    assert_true(idBefore({7, kMostSequence}) == StreamId({7, kMostSequence - 1}));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testText),
        cmocka_unit_test(testLog),
        cmocka_unit_test(testBefore),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
