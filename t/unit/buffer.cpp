// What a buffer holds, and what it gives back.
#include "sse/buffer.hpp"

#include "pieces.hpp"

using sse::Buffer;

namespace {

void testGrows(void**) {
    Buffer buffer;
    assert_true(buffer.empty());
    assert_int_equal(buffer.held(), 0);
    std::string text;
    for (int i = 0; i < 3000; ++i) {
        const std::string piece(static_cast<size_t>(i % 7), static_cast<char>('a' + i % 26));
        assert_true(buffer.append(piece));
        text += piece;
        assert_true(buffer.held() >= buffer.size());
        assert_true(buffer.held() <= std::max<size_t>(256, 2 * buffer.size()));
    }
    assertText(buffer.view(), text, "all pieces");
}

// Whatever the pieces are, it never holds more than the limit, and it can hold all of that.
void testLimit(void**) {
    for (size_t limit : {1, 100, 255, 256, 257, 511, 512, 513, 1000, 100000}) {
        for (size_t piece : {1, 7, 300, 5000}) {
            Buffer buffer;
            while (buffer.size() < limit) {
                const size_t length = std::min(piece, limit - buffer.size());
                assert_true(buffer.append(std::string(length, 'x'), limit));
                assert_true(buffer.held() >= buffer.size() && buffer.held() <= limit);
            }
        }
    }
    // More than the limit is the caller's business: it is there, and no byte more.
    Buffer buffer;
    assert_true(buffer.append(std::string(300, 'x'), 100));
    assert_int_equal(buffer.held(), 300);
    assert_non_null(buffer.extend(0, 0));
}

void testGivesBack(void**) {
    Buffer buffer;
    buffer.release();
    assert_int_equal(buffer.held(), 0);
    assert_true(buffer.append("text"));
    buffer.release();
    assertText(buffer.view(), "text", "what is in it stays");
    buffer.clear();
    assert_true(buffer.held() > 0);
    buffer.release();
    assert_int_equal(buffer.held(), 0);
    assert_true(buffer.append("again"));
    assertText(buffer.view(), "again", "it can be used again");
    buffer.reset();
    assert_int_equal(buffer.held(), 0);
    assert_true(buffer.empty());
    assert_non_null(Buffer().extend(0, 0));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testGrows),
        cmocka_unit_test(testLimit),
        cmocka_unit_test(testGivesBack),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
