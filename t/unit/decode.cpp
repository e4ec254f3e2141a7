// Rendered fields taken apart are what they were rendered from.
#include "sse/decode.hpp"

#include "pieces.hpp"
#include "random_event.hpp"
#include "sse/encode.hpp"

using namespace sse;

namespace {

std::string render(const Event& event) {
    std::string out(encodedSize(event), '\0');
    encodeFields(event, out.data());
    return out;
}

// "type|retry|data", the data written into a block of exactly the room that it is promised.
std::string decode(std::string_view rendered) {
    const Exact exact(rendered);
    const RenderedFields fields = decodeFields(exact.view());
    const std::unique_ptr<char[]> out(new char[fields.dataLines.size()]);
    const std::string data(out.get(), fields.writeData(out.get()));
    assert_int_equal(fields.isOneLine(), data.find('\n') == std::string::npos);
    if (fields.isOneLine()) {
        assertText(fields.dataLine(), data, "one line");
    }
    return std::string(fields.type) + "|" + std::string(fields.retry) + "|" + data;
}

void testBytes(void**) {
    const struct {
        std::string_view rendered;
        std::string_view decoded;
    } cases[] = {
        {"data: hello\n\n", "||hello"},
        {"data: \n\n", "||"},
        {"data: \ndata: \n\n", "||\n"},
        {"data: a\ndata: b\n\n", "||a\nb"},
        {"data: a\ndata: \ndata: b\ndata: \n\n", "||a\n\nb\n"},
        {"data:  a \n\n", "|| a "},
        {"data: a\0b\rc\n\n"sv, "||a\0b\rc"sv},
        {"data: data: x\ndata: event: y\n\n", "||data: x\nevent: y"},
        {"event: update\ndata: a\n\n", "update||a"},
        {"retry: 3000\ndata: a\n\n", "|3000|a"},
        {"event: x y\nretry: 250\ndata: retry: 1\ndata: \n\n", "x y|250|retry: 1\n"},
    };
    for (const auto& c : cases) {
        assertText(decode(c.rendered), c.decoded, readable(c.rendered));
    }
}

void testRoundTrip(void**) {
    RandomEvents events(1);
    for (int round = 0; round < 20000; ++round) {
        const RandomEvent event = events.next();
        const std::string retry = event.retry == 0 ? "" : std::to_string(event.retry);
        assertText(decode(render({event.type, event.data, "", event.retry})),
                   event.type + "|" + retry + "|" + withLf(event.data), readable(event.data));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testBytes),
        cmocka_unit_test(testRoundTrip),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
