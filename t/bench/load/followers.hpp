// Streams that are counted, not checked: how many events come, how many gaps, and when the first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stream.hpp"

namespace bench {

class Follower final : public Stream {
public:
    Follower(Loop& loop, uint16_t port, uint32_t number, const std::string& request)
        : Stream(loop, port, number), request_(request), start_(now()) {}

    // Whether it has that many events or, after a gap, the last of so many.
    bool has(uint64_t events) const {
        return answered_ && (events_ >= events || (gaps_ > 0 && next_ >= events));
    }

    uint64_t events() const { return events_; }
    uint64_t gaps() const { return gaps_; }
    uint64_t bytes() const { return bytes_; } // of the events' texts
    uint64_t untilFirst() const { return firstAt_ - start_; }
    const std::string& worker() const { return worker_; } // that has answered

private:
    std::string request() const override { return request_; }
    void onHead(const Head& head) override {
        answered_ = true;
        worker_ = head.worker;
    }
    void onEvent(uint32_t number, size_t size) override {
        if (events_++ == 0) {
            firstAt_ = now();
        }
        next_ = number + 1;
        bytes_ += size;
    }
    void onGap() override { gaps_++; }

    const std::string& request_;
    std::string worker_;
    bool answered_ = false;
    uint64_t events_ = 0;
    uint64_t next_ = 0; // the number after that of the newest event
    uint64_t gaps_ = 0;
    uint64_t bytes_ = 0;
    uint64_t start_;
    uint64_t firstAt_ = 0;
};

class Followers {
public:
    explicit Followers(Loop& loop) : loop_(loop) {}

    // That many in place of those before, all at once.
    void open(uint16_t port, std::string request, uint32_t count);
    // Reads until each has that many events; 0: until each is answered.
    void read(uint64_t events);
    void close() { all_.clear(); }

    const std::vector<std::unique_ptr<Follower>>& all() const { return all_; }

private:
    Loop& loop_;
    std::string request_;
    std::vector<std::unique_ptr<Follower>> all_;
};

} // namespace bench
