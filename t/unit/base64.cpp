// Bytes as base64 text.
#include "sse/base64.hpp"

#include "pieces.hpp"

namespace {

std::string encoded(std::string_view bytes) {
    const Exact exact(bytes);
    std::string out(sse::base64Size(bytes.size()), '?');
    sse::base64Encode(exact.view(), out.data());
    return out;
}

// The test vectors of RFC 4648, section 10, and all values of a byte.
void testEncode(void**) {
    const struct {
        std::string_view bytes;
        std::string_view text;
    } cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\0"sv, "AA=="},
        {"\xff\xff\xff", "////"},
        {"\xfb\xef\xbe", "++++"},
        {"\0\0\1"sv, "AAAB"},
    };
    for (const auto& c : cases) {
        assertText(encoded(c.bytes), c.text, readable(c.bytes));
    }
    std::string all;
    for (int byte = 0; byte < 256; ++byte) {
        all += static_cast<char>(byte);
    }
    const std::string text = encoded(all);
    assert_int_equal(text.size(), 344);
    assert_true(text.starts_with("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX") && text.ends_with("/P3+/w=="));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(testEncode)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
