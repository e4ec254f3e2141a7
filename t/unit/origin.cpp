// Which texts are origins, and why others are not.
#include "sse/origin.hpp"

#include "pieces.hpp"

namespace {

std::string faultOf(std::string_view text) {
    const Exact exact(text);
    return std::string(sse::originFault(exact.view()));
}

void testGood(void**) {
    const std::string_view cases[] = {
        "https://a",
        "http://a",
        "https://app.example",
        "https://app.example:8443",
        "https://a:80",
        "http://a:443",
        "https://a:1",
        "https://a:65535",
        "https://a-b_c.example",
        "https://127.0.0.1:8080",
        "https://xn--bcher-kva.example",
        "http://[::1]",
        "http://[::1]:8080",
        "http://[2001:db8::ff]",
        "http://[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]",
        "capacitor://localhost",
        "capacitor://localhost:80",
        "chrome-extension://abcdefgh",
        "web+app.x-1://host",
    };
    for (std::string_view text : cases) {
        assertText(faultOf(text), "", readable(text));
    }
}

void testBad(void**) {
    const struct {
        std::string_view text;
        std::string_view reason; // a part of it
    } cases[] = {
        {"", "no scheme"},
        {"://", "no scheme"},
        {"://a", "no scheme"},
        {"https", "no scheme"},
        {"https:", "no scheme"},
        {"https:/", "no scheme"},
        {"https:a", "no scheme"},
        {"app.example", "no scheme"},
        {"//app.example", "no scheme"},
        {"null", "no scheme"},
        {"off", "no scheme"},
        {"https://", "no host"},
        {"https://:8443", "no host"},
        {"https://:", "no host"},
        {"https://a/", "slash"},
        {"https://a:1/", "slash"},
        {"https:///", "slash"},
        {"https://a/b", "path"},
        {"https://a//", "path"},
        {"https://a/?x", "path"},
        {"https://https://a", "path"},
        {"https://a?", "query"},
        {"https://a?b=/", "query"},
        {"https://a#", "fragment"},
        {"https://a#b", "fragment"},
        {"https://u@a", "user"},
        {"https://u:p@a", "user"},
        {"https://@a", "user"},
        {"https://a,", "commas"},
        {"https://a,https://b", "commas"},
        {",https://a", "character"},
        {"https://A", "lower case"},
        {"https://app.Example:8443", "lower case"},
        {"HTTPS://a", "lower case"},
        {"Capacitor://localhost", "lower case"},
        {"http://[FE80::1]", "lower case"},
        {"https://a b", "character"},
        {"https://a\t", "character"},
        {"https://a;", "character"},
        {"https://a%2e", "character"},
        {"https://*.example", "character"},
        {"https://\xc3\xa9", "character"},
        {"https://a\0"sv, "character"},
        {"https://a\\b", "character"},
        {"https://a]", "character"},
        {"https://a[::1]", "character"},
        {"1ttp://a", "character"},
        {"ht tp://a", "character"},
        {" https://a", "character"},
        {"https://[::1", "brackets"},
        {"https://[", "brackets"},
        {"https://[]", "brackets"},
        {"https://[:1]", "brackets"},
        {"https://[::1]x", "brackets"},
        {"https://[::1]]", "brackets"},
        {"https://[[::1]", "brackets"},
        {"https://[fe80::1%25eth0]", "brackets"},
        {"https://[a]", "brackets"},
        {"https://[::\0]"sv, "brackets"},
        {"https://[0000000000000000000000000000000000000000000000::1]", "brackets"},
        {"https://a:443", "default"},
        {"http://a:80", "default"},
        {"http://[::1]:80", "default"},
        {"https://a:", "port"},
        {"https://a:0", "port"},
        {"https://a:08443", "port"},
        {"https://a:65536", "port"},
        {"https://a:99999", "port"},
        {"https://a:100000", "port"},
        {"https://a:18446744073709551617", "port"},
        {"https://a:x", "port"},
        {"https://a:80x", "port"},
        {"https://a:-1", "port"},
        {"https://a:1:2", "port"},
        {"https://[::1]:", "port"},
        {"https://::1", "no host"},
    };
    for (const auto& c : cases) {
        const std::string reason = faultOf(c.text);
        if (reason.find(c.reason) == std::string::npos) {
            fail_msg("\"%s\": \"%s\" is not about %s", readable(c.text).c_str(), reason.c_str(),
                     c.reason.data());
        }
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(testGood), cmocka_unit_test(testBad)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
