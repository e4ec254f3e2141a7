// One epoll loop, and the clock that everything is measured with.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

namespace bench {

// Nanoseconds of a clock that all processes of this machine share.
inline uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

inline double seconds(uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e9;
}

// Something with a descriptor. It owns the descriptor, which leaves the loop when it is closed.
class Pollable {
public:
    Pollable() = default;
    Pollable(const Pollable&) = delete;
    Pollable& operator=(const Pollable&) = delete;
    virtual ~Pollable() { close(); }

    virtual void onEvents(uint32_t events) = 0;

    bool isOpen() const { return fd_ >= 0; }
    void close() {
        if (isOpen()) {
            ::close(fd_);
            fd_ = -1;
        }
    }

protected:
    int fd_ = -1;
    friend class Loop;
};

class Loop {
public:
    Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop() { ::close(epoll_); }

    void add(Pollable& what, uint32_t events) { control(EPOLL_CTL_ADD, what, events); }
    void change(Pollable& what, uint32_t events) { control(EPOLL_CTL_MOD, what, events); }

    // Waits until there is something to do, though not beyond that time, and does it.
    void turn(uint64_t until) {
        const uint64_t start = now();
        const uint64_t left = until > start ? until - start : 0;
        const timespec wait = {static_cast<time_t>(left / 1'000'000'000),
                               static_cast<long>(left % 1'000'000'000)};
        const int count = epoll_pwait2(epoll_, events_, kEvents, &wait, nullptr);
        for (int i = 0; i < count; i++) {
            static_cast<Pollable*>(events_[i].data.ptr)->onEvents(events_[i].events);
        }
    }

private:
    static constexpr int kEvents = 1024;

    void control(int operation, Pollable& what, uint32_t events) {
        epoll_event event = {events, {&what}};
        epoll_ctl(epoll_, operation, what.fd_, &event);
    }

    int epoll_;
    epoll_event events_[kEvents];
};

} // namespace bench
