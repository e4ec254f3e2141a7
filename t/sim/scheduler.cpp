#include "scheduler.hpp"

#include <algorithm>

#include "trace.hpp"

namespace sse::sim {

namespace {

void enter(void* process) {
    static_cast<Process*>(process)->live();
}

} // namespace

void Scheduler::reset(uint64_t seed, uint64_t grain, uint32_t deaths) {
    random_ = Random(seed);
    grain_ = grain;
    deathsLeft_ = deaths;
    deaths_ = slices_ = lastPid_ = 0;
    drawDeath();
}

void Scheduler::put(size_t place, std::unique_ptr<Process> process) {
    processes_.resize(std::max(processes_.size(), place + 1));
    while (fibers_.size() <= place) {
        fibers_.push_back(std::make_unique<Fiber>());
    }
    process->pid = ++lastPid_;
    fibers_[place]->start(enter, process.get());
    processes_[place] = std::move(process);
}

void Scheduler::clear() {
    processes_.clear();
}

bool Scheduler::isAlive(uint64_t pid) const {
    return std::any_of(processes_.begin(), processes_.end(),
                       [pid](const auto& process) { return process->pid == pid; });
}

// A process that does not sleep, or any if all of them sleep.
size_t Scheduler::choose() {
    const size_t first = random_.below(processes_.size());
    for (size_t i = 0; i < processes_.size(); ++i) {
        const size_t place = (first + i) % processes_.size();
        if (processes_[place]->wakesAt <= slices_) {
            return place;
        }
    }
    return first;
}

// Mostly short ones.
void Scheduler::drawSlice() {
    stepsLeft_ = 1 + random_.below(random_.chance(2) ? 100 * grain_ : grain_);
}

// Now and then a process falls asleep wherever it is, and others overtake it; but never with the lock.
void Scheduler::drawSleep() {
    if (running_->writing == 0 && random_.chance(2)) {
        running_->wakesAt = slices_ + random_.below(1 + 60'000 / grain_);
    }
}

// Some deaths follow soon after another one, in the middle of the recovery. Half of the deaths happen a few
// accesses after one of the named places, around which there is most to break.
void Scheduler::drawDeath() {
    const bool isSoon = random_.chance(30);
    isAtPlace_ = random_.chance(50);
    stepsToDeath_ = 1 + random_.below(isAtPlace_ ? (isSoon ? 40 : 400) : (isSoon ? 300 : 6000));
}

// Only a death with the lock can break anything.
bool Scheduler::diesAt(const char* place) {
    if (running_->writing == 0 || deathsLeft_ == 0 || (isAtPlace_ && place == nullptr) ||
        --stepsToDeath_ != 0) {
        return false;
    }
    if (isAtPlace_) {
        isAtPlace_ = false;
        stepsToDeath_ = 1 + random_.below(8);
        return false;
    }
    --deathsLeft_;
    drawDeath();
    return true;
}

int Scheduler::runSlice() {
    const size_t place = choose();
    ++slices_;
    died_ = false;
    running_ = processes_[place].get();
    fiber_ = fibers_[place].get();
    drawSlice();
    fiber_->resume();
    drawSleep();
    running_ = nullptr;
    if (!died_) {
        return -1;
    }
    trace.note("%lu dies; it was last at", processes_[place]->pid);
    trace.note(processes_[place]->place);
    ++deaths_;
    return static_cast<int>(place);
}

void Scheduler::leave() {
    {
        const Quiet quiet(*this);
        onSwitch();
    }
    fiber_->leave();
}

void Scheduler::pause() {
    if (running_ != nullptr) {
        stepsInARow_ = 0;
        leave();
    }
}

void Scheduler::onStep(const char* place) {
    constexpr uint64_t kEndless = 2'000'000;
    if (running_ == nullptr || quiet_ != 0) {
        return;
    }
    running_->place = place != nullptr ? place : running_->place;
    assert_true(++stepsInARow_ < kEndless);
    if (diesAt(place)) {
        died_ = true;
        leave();
    }
    if (--stepsLeft_ == 0) {
        leave();
    }
}

void Scheduler::unshare(std::span<std::byte> memory) {
    std::erase_if(shared_, [memory](auto other) { return other.data() == memory.data(); });
}

bool Scheduler::isShared(const void* address) const {
    return std::any_of(shared_.begin(), shared_.end(), [address](std::span<std::byte> memory) {
        return static_cast<size_t>(static_cast<const std::byte*>(address) - memory.data()) < memory.size();
    });
}

} // namespace sse::sim
