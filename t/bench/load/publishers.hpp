// The connections that events are published over.
#pragma once

#include <memory>
#include <vector>

#include "crowd.hpp"
#include "exchange.hpp"

namespace bench {

struct Plan {
    uint32_t count = 1; // how many events
    double seconds = 0; // or, if not 0: for how long
    size_t size = 100;  // of an event
    uint32_t connections = 1;
    uint32_t pipelined = 1; // publishes in flight on each
    uint32_t channels = 1;  // in turn
    double rate = 0;        // a second; 0: as soon as it can be
    bool wait = false;      // publish only when everybody has everything that was published before
    enum class Worker : uint8_t { Any, Same, Other } worker = Worker::Any; // than that of the subscribers
};

class Publishers;

class Publisher final : public Exchange {
public:
    Publisher(Publishers& all, uint16_t number, Loop& loop, uint16_t port)
        : Exchange(loop, port), all_(all), number_(number) {}
    uint16_t number() const { return number_; }

private:
    void onResponse(const Head& head, std::string_view body) override;

    Publishers& all_;
    uint16_t number_;
};

class Publishers {
public:
    Publishers(Loop& loop, const Target& target, Ledger& ledger, Crowd& crowd)
        : loop_(loop), target_(target), ledger_(ledger), crowd_(crowd) {}

    struct Result {
        uint64_t published;
        uint64_t nanoseconds; // until everything was answered, and everybody had everything
        uint64_t start;
    };
    Result run(const Plan& plan);

    void onResponse(Publisher& publisher, const Head& head);

private:
    bool isDone() const;
    void publishWhatIsDue();
    bool isDue() const;
    uint64_t wakeAt() const;
    void publish(Publisher& publisher);

    Loop& loop_;
    const Target& target_;
    Ledger& ledger_;
    Crowd& crowd_;
    std::vector<std::unique_ptr<Publisher>> all_;
    std::vector<Publisher*> idle_; // each as often as it may publish
    Plan plan_;
    uint64_t start_ = 0;
    uint64_t published_ = 0;
    uint64_t answered_ = 0;
    uint32_t nextChannel_ = 0;
};

} // namespace bench
