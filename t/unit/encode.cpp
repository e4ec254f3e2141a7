// Events as bytes, and the same events again out of the reference parser.
#include "sse/encode.hpp"

#include "pieces.hpp"
#include "random_event.hpp"
#include "reference.hpp"

using sse::Event;

namespace {

// Encodes into a block of exactly the announced size.
std::string encode(const Event& event) {
    const size_t size = encodedSize(event);
    const std::unique_ptr<char[]> out(new char[size]);
    const char* end = encodeFields(event, out.get());
    assert_int_equal(end - out.get(), size);
    return {out.get(), size};
}

void testBytes(void**) {
    const struct {
        Event event;
        std::string_view bytes;
    } cases[] = {
        {{"", "hello", "", 0}, "data: hello\n\n"},
        {{"", "", "", 0}, "data: \n\n"},
        {{}, "data: \n\n"},
        {{"", "\n", "", 0}, "data: \ndata: \n\n"},
        {{"", "\r", "", 0}, "data: \ndata: \n\n"},
        {{"", "\r\n", "", 0}, "data: \ndata: \n\n"},
        {{"", "\n\r", "", 0}, "data: \ndata: \ndata: \n\n"},
        {{"", "a\nb", "", 0}, "data: a\ndata: b\n\n"},
        {{"", "a\rb", "", 0}, "data: a\ndata: b\n\n"},
        {{"", "a\r\nb", "", 0}, "data: a\ndata: b\n\n"},
        {{"", "a\r\n\r\nb\n", "", 0}, "data: a\ndata: \ndata: b\ndata: \n\n"},
        {{"", " a", "", 0}, "data:  a\n\n"},
        {{"", "a\0b"sv, "", 0}, "data: a\0b\n\n"sv},
        {{"", "a\u2028b\u0085c\vd\fe", "", 0}, "data: a\u2028b\u0085c\vd\fe\n\n"},
        {{"update", "a", "", 0}, "event: update\ndata: a\n\n"},
        {{"", "a", "", 3000}, "retry: 3000\ndata: a\n\n"},
        {{"update", "a", "own", 3000}, "event: update\nretry: 3000\ndata: a\n\n"},
        {{"", "a", "own", 0}, "data: a\n\n"},
        {{"", "\nevent: evil\nid: 1\n\n", "", 0},
         "data: \ndata: event: evil\ndata: id: 1\ndata: \ndata: \n\n"},
        {{"", "x\rdata: y\r\r:", "", 0}, "data: x\ndata: data: y\ndata: \ndata: :\n\n"},
    };
    for (const auto& c : cases) {
        assertText(encode(c.event), c.bytes, readable(c.event.data));
    }
}

void testRetryIsClamped(void**) {
    const struct {
        uint32_t retry;
        std::string_view bytes;
    } cases[] = {
        {0, "data: \n\n"},
        {1, "retry: 250\ndata: \n\n"},
        {249, "retry: 250\ndata: \n\n"},
        {250, "retry: 250\ndata: \n\n"},
        {251, "retry: 251\ndata: \n\n"},
        {3600000, "retry: 3600000\ndata: \n\n"},
        {3600001, "retry: 3600000\ndata: \n\n"},
        {UINT32_MAX, "retry: 3600000\ndata: \n\n"},
    };
    for (const auto& c : cases) {
        assertText(encode({"", "", "", c.retry}), c.bytes, std::to_string(c.retry));
    }
}

// Every text of up to six of these gives the lines that the reference parser reads, and no more than one
// event.
void testEveryShortText(void**) {
    constexpr std::string_view kBytes = "\r\n :a";
    size_t combinations = 1;
    for (int length = 0; length <= 6; ++length, combinations *= kBytes.size()) {
        for (size_t number = 0; number < combinations; ++number) {
            std::string data;
            for (size_t rest = number, i = 0; i < static_cast<size_t>(length); ++i, rest /= kBytes.size()) {
                data += kBytes[rest % kBytes.size()];
            }
            const Exact exact(data);
            const ReferenceParser parser(encode({"", exact.view(), "", 0}));
            assert_int_equal(parser.events().size(), 1);
            assertText(parser.events()[0].data, withLf(data), readable(data));
        }
    }
}

// One stream of ten thousand events, as a subscriber gets them: behind id lines, with heartbeats between
// them.
void testRoundTrip(void**) {
    RandomEvents random(1);
    std::string stream = ":\nretry: 3000\n";
    std::vector<ReferenceEvent> published;
    for (int i = 0; i < 10000; ++i) {
        const RandomEvent event = random.next();
        const std::string id = "1700000000000-" + std::to_string(i);
        stream += "id: " + id + "\n" + encode({event.type, event.data, event.publisherId, event.retry});
        stream += random.below(4) == 0 ? ":\n" : "";
        published.push_back({id, event.type.empty() ? "message" : event.type, withLf(event.data)});
    }
    const ReferenceParser parser(stream);
    assert_int_equal(parser.events().size(), published.size());
    for (size_t i = 0; i < published.size(); ++i) {
        const std::string where = "event " + std::to_string(i);
        assertText(parser.events()[i].lastEventId, published[i].lastEventId, where);
        assertText(parser.events()[i].type, published[i].type, where);
        assertText(parser.events()[i].data, published[i].data, where);
    }
}

void testRetryReachesTheClient(void**) {
    const ReferenceParser parser(encode({"", "a", "", 4321}));
    assert_true(parser.reconnectionTime() == 4321UL);
    assert_int_equal(parser.comments(), 0);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testBytes),
        cmocka_unit_test(testRetryIsClamped),
        cmocka_unit_test(testEveryShortText),
        cmocka_unit_test(testRoundTrip),
        cmocka_unit_test(testRetryReachesTheClient),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
