// A function with a stack of its own, which can be left at any point and resumed there, or never again.
#pragma once

#include <csetjmp>
#include <memory>

#include <ucontext.h>

namespace sse::sim {

class Fiber {
public:
    Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // The function that ran here before is abandoned: nothing on its stack is destroyed.
    void start(void (*run)(void*), void* argument);
    // Runs it until it leaves. It must not return.
    void resume();
    // Back to resume(); called on the fiber.
    void leave();

private:
    static void enter();

    std::unique_ptr<char[]> stack_;
    bool isNew_ = true;
    ucontext_t begin_{};
    jmp_buf own_{};
    jmp_buf caller_{};
    void (*run_)(void*) = nullptr;
    void* argument_ = nullptr;
};

} // namespace sse::sim
