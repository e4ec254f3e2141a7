// Runs the log and its readers under a scheduler that is drawn from a seed, for many seeds:
//
//     build/sim/log [--seed FIRST] [--seeds COUNT]
//
// A seed gives the same run each time, as long as the program is the same. The first failure ends the
// program, which prints the seed and the last steps.
#include <cstdlib>
#include <cstring>

#include <csignal>
#include <unistd.h>

#include "trace.hpp"
#include "world.hpp"

using namespace sse::sim;

namespace {

// A seed takes some milliseconds.
constexpr unsigned kHangs = 60;

const char* program;
uint64_t seed;

void onFailure(int signal) {
    std::printf("# the last steps:\n");
    trace.print();
    std::printf("seed %lu fails: %s. Again: %s --seed %lu\n", seed,
                signal == SIGALRM ? "it does not end" : strsignal(signal), program, seed);
    std::fflush(stdout);
    _exit(1);
}

// What is asserted ends in abort().
void catchFailures() {
    static char stack[256 * 1024];
    const stack_t other{.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof(stack)};
    sigaltstack(&other, nullptr);
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    struct sigaction action {};
    action.sa_handler = onFailure;
    action.sa_flags = SA_ONSTACK;
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM}) {
        sigaction(signal, &action, nullptr);
    }
}

} // namespace

int main(int count, char** words) {
    uint64_t first = 1;
    uint64_t seeds = 1000;
    for (int i = 1; i + 1 < count; i += 2) {
        const uint64_t number = std::strtoull(words[i + 1], nullptr, 10);
        if (std::strcmp(words[i], "--seed") == 0) {
            first = number;
            seeds = 1;
        } else if (std::strcmp(words[i], "--seeds") == 0) {
            seeds = number;
        }
    }
    program = words[0];
    catchFailures();
    sse::faultHook = [](const char* place) { scheduler.onStep(place); };
    for (seed = first; seed < first + seeds; ++seed) {
        alarm(kHangs);
        trace.clear();
        World world(seed);
        world.run();
    }
    std::printf("%lu seeds from %lu on: %lu events, %lu deaths, %lu resizes, %lu lives, "
                "%lu replays, %lu gaps, %lu laps, %lu breaks\n",
                seed - first, first, figures.events, figures.deaths, figures.resizes, figures.lives,
                figures.replays, figures.gaps, figures.laps, figures.breaks);
    return 0;
}
