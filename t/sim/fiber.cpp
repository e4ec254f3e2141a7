#include "fiber.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace sse::sim {

namespace {

constexpr size_t kStackSize = 256 * 1024;

Fiber* starting;

// AddressSanitizer must know which stack is in use, and that the frames on an abandoned stack are gone.
#ifdef __SANITIZE_ADDRESS__
const void* callerStack;
size_t callerStackSize;
void leaveForFiber(char* stack) {
    __sanitizer_start_switch_fiber(nullptr, stack, kStackSize);
}
void leaveForCaller() {
    __sanitizer_start_switch_fiber(nullptr, callerStack, callerStackSize);
}
void arriveOnFiber() {
    __sanitizer_finish_switch_fiber(nullptr, &callerStack, &callerStackSize);
}
void arriveAtCaller() {
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
}
void clean(char* stack) {
    ASAN_UNPOISON_MEMORY_REGION(stack, kStackSize);
}
#else
void leaveForFiber(char*) {}
void leaveForCaller() {}
void arriveOnFiber() {}
void arriveAtCaller() {}
void clean(char*) {}
#endif

} // namespace

Fiber::Fiber() : stack_(new char[kStackSize]) {}

void Fiber::start(void (*run)(void*), void* argument) {
    clean(stack_.get());
    run_ = run;
    argument_ = argument;
    isNew_ = true;
    getcontext(&begin_);
    begin_.uc_stack.ss_sp = stack_.get();
    begin_.uc_stack.ss_size = kStackSize;
    begin_.uc_link = nullptr;
    makecontext(&begin_, &Fiber::enter, 0);
}

void Fiber::enter() {
    arriveOnFiber();
    starting->run_(starting->argument_);
}

// Only the first switch uses ucontext.h, because its system calls take longer than everything else.
void Fiber::resume() {
    if (_setjmp(caller_) != 0) {
        arriveAtCaller();
        return;
    }
    leaveForFiber(stack_.get());
    if (isNew_) {
        isNew_ = false;
        starting = this;
        setcontext(&begin_);
    }
    _longjmp(own_, 1);
}

void Fiber::leave() {
    if (_setjmp(own_) == 0) {
        leaveForCaller();
        _longjmp(caller_, 1);
    }
    arriveOnFiber();
}

} // namespace sse::sim
