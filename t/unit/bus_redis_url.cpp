// URLs of Redis: what each part means, and why others are rejected.
#include "bus/redis_url.hpp"

#include <set>

#include "pieces.hpp"

using namespace sse;

namespace {

struct Read {
    Exact text;
    std::unique_ptr<char[]> room;
    RedisUrl url;
    const char* fault;

    explicit Read(std::string_view from)
        : text(from), room(new char[from.size()]), fault(parseRedisUrl(text.view(), room.get(), url)) {}
};

// All of it in one line, each address as "text=host|port", an IPv6 one with a "6".
std::string describe(std::string_view text) {
    const Read read(text);
    if (read.fault != nullptr) {
        return read.fault;
    }
    const RedisUrl& url = read.url;
    std::string out = url.tls ? "tls" : "plain";
    out += " <" + std::string(url.user) + "><" + std::string(url.password) + ">";
    for (const RedisAddress& address : url.addresses()) {
        out += " " + std::string(address.text) + "=" + std::string(address.host) + "|" +
               std::to_string(address.port) + (address.isIpv6 ? "|6" : "");
    }
    return out + " /" + std::to_string(url.database);
}

void testAccepted(void**) {
    const struct {
        std::string_view text;
        std::string_view meaning;
    } cases[] = {
        {"redis://h", "plain <><> h=h|6379 /0"},
        {"rediss://h", "tls <><> h=h|6379 /0"},
        {"redis://h/", "plain <><> h=h|6379 /0"},
        {"redis://h/3", "plain <><> h=h|6379 /3"},
        {"redis://h/1000000", "plain <><> h=h|6379 /1000000"},
        {"redis://h/007", "plain <><> h=h|6379 /7"},
        {"redis://h:1", "plain <><> h:1=h|1 /0"},
        {"redis://h:65535/15", "plain <><> h:65535=h|65535 /15"},
        {"redis://10.0.0.5:6380", "plain <><> 10.0.0.5:6380=10.0.0.5|6380 /0"},
        {"redis://10.0.0.5:6379,10.0.0.6:6379",
         "plain <><> 10.0.0.5:6379=10.0.0.5|6379 10.0.0.6:6379=10.0.0.6|6379 /0"},
        {"rediss://a,b:7,c/2", "tls <><> a=a|6379 b:7=b|7 c=c|6379 /2"},
        {"redis://redis-1.my_net.example.:7000",
         "plain <><> redis-1.my_net.example.:7000=redis-1.my_net.example.|7000 /0"},
        {"redis://REDIS.example", "plain <><> REDIS.example=REDIS.example|6379 /0"},
        {"redis://[::1]", "plain <><> [::1]=::1|6379|6 /0"},
        {"redis://[2001:db8::5]:6380,h/1", "plain <><> [2001:db8::5]:6380=2001:db8::5|6380|6 h=h|6379 /1"},
        {"redis://[::ffff:10.0.0.5]", "plain <><> [::ffff:10.0.0.5]=::ffff:10.0.0.5|6379|6 /0"},
        {"redis://[2001:0db8:1111:2222:3333:4444:255.255.255.255]",
         "plain <><> "
         "[2001:0db8:1111:2222:3333:4444:255.255.255.255]=2001:0db8:1111:2222:3333:4444:255.255.255.255|6379|"
         "6 /0"},
        {"redis://u@h", "plain <u><> h=h|6379 /0"},
        {"redis://:p@h", "plain <><p> h=h|6379 /0"},
        {"redis://u:p@h", "plain <u><p> h=h|6379 /0"},
        {"rediss://u:p@a:1,b:2/9", "tls <u><p> a:1=a|1 b:2=b|2 /9"},
        {"redis://u:p:q@h", "plain <u><p:q> h=h|6379 /0"},
        {"redis://u:,+&=$!@h", "plain <u><,+&=$!> h=h|6379 /0"},
        {"redis://a%3ab:%40%2F%3f%23%25%c3%A9@h", "plain <a:b><@/?#%\u00e9> h=h|6379 /0"},
        {"redis://%41:%42@h", "plain <A><B> h=h|6379 /0"},
    };
    for (const auto& c : cases) {
        assertText(describe(c.text), c.meaning, std::string(c.text));
    }
    const std::string sixteen = "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,b";
    const Read most("redis://" + sixteen);
    assert_null(most.fault);
    assert_int_equal(most.url.count, kMaxRedisAddresses);
    assertText(most.url.addresses().back().host, "b", "the last");
}

// Each is refused for a reason of its own.
void testRefused(void**) {
    const struct {
        std::string_view reason;
        std::vector<std::string_view> texts;
    } cases[] = {
        {"it must begin with redis:// or rediss://",
         {"", "h", "h:6379", "redis", "redis:", "redis:/h", "redis:h", "http://h", "REDIS://h",
          "unix:/run/redis", " redis://h", "redis+tls://h", "valkey://h", "redis-sentinel://h"}},
        {"there must be no \"?\" or \"#\" in it",
         {"redis://h?db=1", "redis://h/1#x", "redis://u:p?@h", "redis://u:p#@h"}},
        {"a \"/\" in the user or the password must be written \"%2F\"",
         {"redis://u:p/q@h", "redis://u/v:p@h", "redis://h/1@2"}},
        {"there is nothing before the \"@\"", {"redis://@h", "redis://@"}},
        {"an \"@\" in the user or the password must be written \"%40\"",
         {"redis://u:p@q@h", "redis://u@u:p@h", "redis://a@h,b@h"}},
        {"the password is empty", {"redis://u:@h", "redis://:@h"}},
        {"a \"%\" in the user or the password must be written \"%25\"",
         {"redis://u:%@h", "redis://u:a%4@h", "redis://u:%zz@h", "redis://%4g:p@h", "redis://%u:p@h",
          "redis://u:%%@h", "redis://u:%41%@h"}},
        {"there are more than 16 addresses",
         {"redis://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,b", "redis://,,,,,,,,,,,,,,,,"}},
        {"an address has no host",
         {"redis://", "redis:///1", "redis://,h", "redis://h,", "redis://h,,h", "redis://:6379",
          "redis://u:p@", "redis://u:p@/1", "redis://h,:1"}},
        {"the name of a host has a character that names cannot have",
         {"redis://h h", "redis://h%41", "redis://\u00e9", "redis://h;i", "redis://h]", "redis://h[1]",
          "redis://a\0b"sv, "redis://h,i$", "redis://h\\1"}},
        {"a port must be a number from 1 to 65535",
         {"redis://h:", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h:1x", "redis://h:-1",
          "redis://h:+1", "redis://h: 1", "redis://h:99999999999999999999",
          "redis://h:1,i:", "redis://[::1]:", "redis://[::1]:0", "redis://h:0x10"}},
        {"an IPv6 address must be in brackets", {"redis://::1", "redis://2001:db8::5", "redis://h:1:2"}},
        {"between \"[\" and \"]\" there must be an IPv6 address",
         {"redis://[", "redis://[]", "redis://[::1", "redis://[h]", "redis://[10.0.0.5]",
          "redis://[::1%25eth0]", "redis://[:::1]", "redis://[::1::2]", "redis://[::1\0]"sv,
          "redis://[2001:0db8:1111:2222:3333:4444:255.255.255.2555555]", "redis://[::1,h]"}},
        {"after the \"]\" of an address only a port can follow",
         {"redis://[::1]x", "redis://[::1]6379", "redis://[::1]]"}},
        {"the database, after the \"/\", must be a number",
         {"redis://h/x", "redis://h/1x", "redis://h/-1", "redis://h/1/2", "redis://h//", "redis://h/ 1",
          "redis://h/1000001", "redis://h/99999999999999999999", "redis://h/1,i"}},
    };
    std::set<std::string_view> reasons;
    for (const auto& c : cases) {
        assert_true(reasons.insert(c.reason).second);
        for (const std::string_view text : c.texts) {
            assertText(describe(text), c.reason, readable(text));
        }
    }
}

// A message goes to the log, and must not show a password.
void testNothingIsQuoted(void**) {
    for (const std::string_view text :
         {"http://u:secret@h", "redis://u:secret%@h", "redis://u:secret@", "redis://u:secret@h:0",
          "redis://u:secret@h/secret", "redis://u:secret@secret@h", "redis://u:secret@h?"}) {
        assert_true(describe(text).find("secret") == std::string::npos);
    }
}

// What remains of an address if any byte is another one is read or refused, within its bytes.
void testEveryByte(void**) {
    const std::string_view text = "rediss://u:p%41@a.b:1,[::1]:2/3";
    for (size_t at = 0; at < text.size(); ++at) {
        for (int byte = 0; byte < 0x100; ++byte) {
            std::string other(text);
            other[at] = static_cast<char>(byte);
            const Read read(other);
            if (read.fault == nullptr) {
                assert_in_range(read.url.count, 1, 3);
                for (const RedisAddress& address : read.url.addresses()) {
                    assert_true(!address.host.empty() && address.port != 0);
                }
            }
        }
        describe(text.substr(0, at));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testAccepted),
        cmocka_unit_test(testRefused),
        cmocka_unit_test(testNothingIsQuoted),
        cmocka_unit_test(testEveryByte),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
