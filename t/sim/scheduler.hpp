// The scheduler: one process runs at a time, for some steps. A step is an access to the memory of a log, or
// one of the places of log/fault.hpp. So a process can be interrupted, and can die, between any two steps,
// and the seed decides what the others do meanwhile.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "fiber.hpp"
#include "test_log.hpp"

namespace sse::sim {

// What a process of nginx does with the logs, in a fiber. Everything that it owns is a member and not on its
// stack, because the stack of a process that dies is never unwound.
class Process {
public:
    virtual ~Process() = default;
    // Does not return.
    virtual void live() = 0;

    uint64_t pid = 0;
    uint32_t writing = 0; // locks that it holds: only with a lock its death can break something
    uint64_t wakesAt = 0; // the slice
    const char* place = "";
};

class Scheduler {
public:
    // A slice has some `grain` steps.
    void reset(uint64_t seed, uint64_t grain, uint32_t deaths);

    // Runs in that place from now on; the process that was there is dead.
    void put(size_t place, std::unique_ptr<Process> process);
    void clear();
    Process& at(size_t place) const { return *processes_[place]; }
    // The process that runs; NULL: there are no steps, and no process can die.
    Process* running() const { return running_; }
    uint64_t pid() const { return running_ != nullptr ? running_->pid : UINT64_MAX; }
    bool isAlive(uint64_t pid) const;

    // Lets one process continue. Returns the place of a process that has died, or -1.
    int runSlice();
    // Called by the running process: lets another one run.
    void pause();

    void onStep(const char* place);
    void onAccess(const void* address) {
        if (running_ != nullptr && quiet_ == 0 && isShared(address)) {
            onStep(nullptr);
        }
    }

    // Logs whose accesses are steps.
    void share(std::span<std::byte> memory) { shared_.push_back(memory); }
    void unshare(std::span<std::byte> memory);
    bool isShared(const void* address) const;

    // No steps as long as there is one: for checks.
    class Quiet {
    public:
        explicit Quiet(Scheduler& scheduler) : scheduler_(scheduler) { ++scheduler_.quiet_; }
        ~Quiet() { --scheduler_.quiet_; }
        Quiet(const Quiet&) = delete;
        Quiet& operator=(const Quiet&) = delete;

    private:
        Scheduler& scheduler_;
    };

    uint64_t slices() const { return slices_; }
    uint64_t deaths() const { return deaths_; }

    // Called at the end of a slice, also if it ends in death.
    std::function<void()> onSwitch;

private:
    size_t choose();
    void drawSlice();
    void drawSleep();
    void drawDeath();
    bool diesAt(const char* place);
    void leave();

    Random random_{0};
    uint64_t grain_ = 1;
    uint32_t deathsLeft_ = 0;
    uint64_t deaths_ = 0;
    uint64_t slices_ = 0;
    uint64_t lastPid_ = 0;
    uint64_t stepsLeft_ = 0;    // of the slice
    uint64_t stepsToDeath_ = 0; // with the lock
    bool isAtPlace_ = false;    // they are steps from one named place to the next
    uint64_t stepsInARow_ = 0;  // of the same process without a pause
    uint32_t quiet_ = 0;
    bool died_ = false;
    Process* running_ = nullptr;
    Fiber* fiber_ = nullptr;
    std::vector<std::unique_ptr<Process>> processes_;
    std::vector<std::unique_ptr<Fiber>> fibers_; // of the places; they outlive the seed
    std::vector<std::span<std::byte>> shared_;
};

inline Scheduler scheduler;

using Quiet = Scheduler::Quiet;

} // namespace sse::sim
