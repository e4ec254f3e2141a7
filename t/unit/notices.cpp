// The notices as bytes, and what a client makes of them.
#include "sse/notices.hpp"

#include "pieces.hpp"
#include "reference.hpp"
#include "sse/encode.hpp"

using sse::Buffer;
using sse::EndForm;
using sse::GapReason;

namespace {

constexpr std::string_view kId = "1700000000000-65537";

// What a function adds, after something else that stays.
template <typename Add>
std::string added(Add&& add) {
    constexpr std::string_view kBefore = "data: before\n\n";
    Buffer out;
    assert_true(out.append(kBefore));
    assert_true(add(out));
    assert_true(out.view().starts_with(kBefore));
    return std::string(out.view().substr(kBefore.size()));
}

std::string preamble(uint32_t retry) {
    return added([=](Buffer& out) { return addPreamble(out, retry); });
}

std::string ready(std::string_view type, uint32_t retry) {
    const Exact id(kId), exact(type);
    return added([&](Buffer& out) { return addReady(out, id.view(), exact.view(), retry); });
}

std::string gap(GapReason reason, std::string_view requested, std::optional<uint64_t> missed = {},
                std::string_view type = sse::kGapType) {
    const Exact id(kId), exact(requested);
    return added([&](Buffer& out) { return addGap(out, type, {reason, exact.view(), id.view(), missed}); });
}

std::string heartbeat(std::string_view type) {
    const Exact exact(type);
    return added([&](Buffer& out) { return addHeartbeat(out, exact.view()); });
}

std::string primingMessage() {
    return added([](Buffer& out) { return addPrimingMessage(out, kId); });
}

std::string caughtUp() {
    return added([](Buffer& out) { return addCaughtUp(out, kId, "live"); });
}

std::string end(const EndForm& form) {
    return added([&](Buffer& out) { return addEnd(out, form); });
}

void testPreamble(void**) {
    assertText(preamble(3000), ":\nretry: 3000\n", "as usual");
    assertText(preamble(250), ":\nretry: 250\n", "the least");
    assertText(preamble(7200000), ":\nretry: 7200000\n", "the most with all of its jitter");
    assertText(preamble(UINT32_MAX), ":\nretry: 4294967295\n", "any number");
    assertText(added([](Buffer& out) { return addPreamble(out, 3000, true); }),
               ":" + std::string(2048, ' ') + "\nretry: 3000\n", "padded");
}

void testReady(void**) {
    assertText(ready("ready", 3000),
               "id: 1700000000000-65537\n"
               "event: ready\n"
               "retry: 3000\n"
               "data: {\"id\":\"1700000000000-65537\"}\n\n",
               "ready");
    assertText(ready("\u00fc a", 7200000),
               "id: 1700000000000-65537\n"
               "event: \u00fc a\n"
               "retry: 7200000\n"
               "data: {\"id\":\"1700000000000-65537\"}\n\n",
               "another type");
}

void testPriming(void**) {
    assertText(primingMessage(), "id: 1700000000000-65537\ndata: \n\n", "message");
}

void testCaughtUp(void**) {
    assertText(caughtUp(), "id: 1700000000000-65537\nevent: live\ndata: {\"id\":\"1700000000000-65537\"}\n\n",
               "live");
}

void testExpired(void**) {
    assertText(added([](Buffer& out) { return addExpired(out, "expired", 1795974868); }),
               "event: expired\ndata: {\"expires\":1795974868}\n\n", "expired");
}

void testEnd(void**) {
    assertText(end({.type = "end", .data = "bye", .retry = 86400000}),
               "retry: 86400000\nevent: end\ndata: bye\n\n", "an event");
    assertText(end({.type = "end", .data = {}, .retry = {}}), "event: end\ndata: \n\n", "without data");
    assertText(end({.type = "", .data = "[DONE]", .retry = 86400000}), "data: [DONE]\n\n", "a sentinel");
    assertText(end({.type = {}, .data = {}, .retry = 86400000}), "retry: 86400000\n", "no event");
    assertText(end({}), "", "nothing");
}

void testGap(void**) {
    const struct {
        GapReason reason;
        std::string_view requested;
        std::string_view data;
    } cases[] = {
        {GapReason::Evicted, "5-1", R"({"reason":"evicted","requested":"5-1")"},
        {GapReason::Lost, "5-1", R"({"reason":"lost","requested":"5-1")"},
        {GapReason::Unknown, "5-1~order-7", R"({"reason":"unknown","requested":"5-1~order-7")"},
        {GapReason::Unknown, "", R"({"reason":"unknown","requested":"")"},
        {GapReason::Unknown, "\"}\n\ndata: evil\r\n\r\n",
         R"({"reason":"unknown","requested":"\"}\n\ndata: evil\r\n\r\n")"},
        {GapReason::Unknown, "\xff\0\u2028"sv,
         "{\"reason\":\"unknown\",\"requested\":\"\ufffd\\u0000\\u2028\""},
    };
    for (const auto& c : cases) {
        assertText(gap(c.reason, c.requested),
                   "id: 1700000000000-65537\nevent: gap\ndata: " + std::string(c.data) +
                       ",\"start\":\"1700000000000-65537\"}\n\n",
                   readable(c.requested));
    }
    const std::string large(100000, '\x01');
    assert_true(gap(GapReason::Unknown, large).size() > 6 * large.size());
    assert_true(gap(GapReason::Evicted, "5-1", {}, "lost").find("\nevent: lost\n") != std::string::npos);
    const std::string counted = gap(GapReason::Evicted, "5-1", 12345678901);
    assert_true(counted.ends_with(",\"missed\":12345678901}\n\n"));
}

void testHeartbeat(void**) {
    assertText(heartbeat(""), ":\n", "a comment");
    assertText(heartbeat("ping"), "event: ping\ndata: \n\n", "an event");
}

void testIdLine(void**) {
    const struct {
        std::string_view publisherId;
        std::string_view bytes;
    } cases[] = {
        {"", "id: 1700000000000-65537\n"},
        {"order-7", "id: 1700000000000-65537~order-7\n"},
    };
    for (const auto& c : cases) {
        const sse::IdLine line(kId, c.publisherId);
        std::string bytes;
        for (std::string_view piece : {line.field, line.id, line.tilde, line.publisherId, line.lineEnd}) {
            bytes += piece;
        }
        assertText(bytes, c.bytes, std::string(c.publisherId));
        assert_int_equal(line.size(), bytes.size());
    }
}

// What has no event in it has no blank line, and what is one ends with the only one.
void testBlankLines(void**) {
    for (const std::string& bare : {preamble(3000), heartbeat("")}) {
        assert_true(bare.find("\n\n") == std::string::npos && bare.front() != '\n' && bare.back() == '\n');
    }
    for (const std::string& event : {ready("ready", 3000), primingMessage(), caughtUp(),
                                     gap(GapReason::Evicted, "\n\n"), heartbeat("ping")}) {
        assert_int_equal(event.find("\n\n"), event.size() - 2);
    }
}

// A stream of nothing but notices.
void testClient(void**) {
    const ReferenceParser begun(preamble(3000) + heartbeat(""));
    assert_true(begun.events().empty());
    assert_int_equal(begun.comments(), 2);
    assert_true(begun.reconnectionTime() == 3000UL);

    const std::string id(kId);
    const ReferenceParser all(preamble(3000) + heartbeat("ping") + caughtUp() + heartbeat("ping") +
                              primingMessage() + ready("ready", 4000) + heartbeat("") +
                              gap(GapReason::Evicted, "5-1") + heartbeat("ping"));
    const std::vector<ReferenceEvent> expected = {
        {"", "ping", ""},
        {id, "live", "{\"id\":\"" + id + "\"}"},
        {id, "ping", ""},
        {id, "message", ""},
        {id, "ready", "{\"id\":\"" + id + "\"}"},
        {id, "gap", R"({"reason":"evicted","requested":"5-1","start":")" + id + "\"}"},
        {id, "ping", ""},
    };
    assert_true(all.events() == expected);
    assert_true(all.reconnectionTime() == 4000UL);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testPreamble),   cmocka_unit_test(testReady),     cmocka_unit_test(testPriming),
        cmocka_unit_test(testCaughtUp),   cmocka_unit_test(testEnd),       cmocka_unit_test(testExpired),
        cmocka_unit_test(testGap),        cmocka_unit_test(testHeartbeat), cmocka_unit_test(testIdLine),
        cmocka_unit_test(testBlankLines), cmocka_unit_test(testClient),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
