// SSE_ASSERT: a build with assertions aborts where a condition does not hold, and says where.
// build: -DSSE_ASSERTIONS
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "cmocka.hpp"
#include "log/assert.hpp"
#include "log/index.hpp"
#include "test_log.hpp"

using namespace sse;

namespace {

// Runs it in a child; returns what that has said if it was aborted.
template <typename F>
std::string lastWords(F&& run) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        std::signal(SIGABRT, SIG_DFL); // cmocka has a handler
        run();
        _exit(0);
    }
    close(ends[1]);
    std::string words(1000, '\0');
    words.resize(std::max<ssize_t>(read(ends[0], words.data(), words.size()), 0));
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? words : std::string();
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

void diesAndSaysWhere(void**) {
    assert_string_equal(lastWords([] { SSE_ASSERT(true); }).c_str(), "");
    const std::string words = lastWords([] { SSE_ASSERT(1 + 1 == 3); });
    assert_true(contains(words, "assert.cpp:"));
    assert_true(contains(words, "assertion failed: 1 + 1 == 3"));

    int times = 0;
    SSE_ASSERT(++times);
    assert_int_equal(times, 1);
}

void guardsTheLog(void**) {
    TestLog zone{8};
    append(zone.log, "a", "x");
    Index index{&zone.header(), zone.entries()};
    assert_string_equal(lastWords([&] { index.addListener(0, 5); }).c_str(), "");
    assert_true(contains(lastWords([&] { index.addListener(1, 5); }), "index.cpp:"));
    assert_true(contains(lastWords([&] { index.removeListeners(1, setOf(5)); }), "index.cpp:"));
    assert_true(contains(lastWords([&] { zone.ring().link(zone.log.head(), kNoOffset); }), "ring.hpp:"));
    assert_true(contains(lastWords([&] { zone.ring().write(4, RecordHeader{}); }), "ring.hpp:"));
    assert_true(contains(lastWords([&] { takeOver(zone.log, zone.log); }), "take_over.cpp:"));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(diesAndSaysWhere), cmocka_unit_test(guardsTheLog)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
