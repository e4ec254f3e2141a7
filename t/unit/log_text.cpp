// Foreign texts in a line of the error log.
#include <string>

#include "cmocka.hpp"
#include "sse/log_text.hpp"

using namespace sse;

namespace {

std::string logged(std::string_view text) {
    return std::string(LogText(text).view());
}

void leavesWhatIsPrintable(void**) {
    assert_string_equal(logged("").c_str(), "");
    assert_string_equal(logged("news").c_str(), "news");
    assert_string_equal(logged("a b/c?d=%41~").c_str(), "a b/c?d=%41~");
}

void escapesTheRest(void**) {
    assert_string_equal(logged("a\"b\\c").c_str(), "a\\x22b\\x5Cc");
    assert_string_equal(logged("\x1b[31m\n\r\x7f").c_str(), "\\x1B[31m\\x0A\\x0D\\x7F");
    assert_string_equal(logged("\xc3\xbc\xff").c_str(), "\\xC3\\xBC\\xFF");
    assert_string_equal(logged(std::string_view("\0", 1)).c_str(), "\\x00");
}

void cutsWhatIsLong(void**) {
    for (size_t length = 0; length < 600; ++length) {
        for (const char c : {'x', '\n'}) {
            const std::string all(length, c);
            const std::string text = logged(all);
            assert_true(text.size() <= 206);
            assert_true(length < 50 ? text.find("..") == std::string::npos
                                    : length < 250 || text.ends_with(".."));
        }
    }
    assert_string_equal(logged(std::string(200, 'x')).c_str(), std::string(200, 'x').c_str());
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(leavesWhatIsPrintable),
        cmocka_unit_test(escapesTheRest),
        cmocka_unit_test(cutsWhatIsLong),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
