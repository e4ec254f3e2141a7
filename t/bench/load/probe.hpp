// Asks for something again and again, as somebody would who has nothing to do with events.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exchange.hpp"
#include "loop.hpp"

namespace bench {

struct Probing {
    std::string request;
    double rate;        // a second
    double seconds;     // for how long
    std::string worker; // if not empty: only this one is asked, on a few connections
    int refusal;        // a status that is an answer, too
};

struct Answers {
    std::vector<uint64_t> times; // nanoseconds from when the request was due
    uint64_t refused = 0;
};

class Probe;

class Visitor final : public Exchange {
public:
    Visitor(Probe& probe, Loop& loop, uint16_t port) : Exchange(loop, port), probe_(probe) {}

    void ask(const std::string& text, uint64_t due) {
        due_ = due;
        request(text);
    }
    const std::string& worker() const { return worker_; } // that has answered

private:
    void onResponse(const Head& head, std::string_view) override;
    void onClosed() override;

    Probe& probe_;
    uint64_t due_ = 0;
    std::string worker_;
};

class Probe {
public:
    Probe(Loop& loop, uint16_t port) : loop_(loop), port_(port) {}

    // Each request is asked when it is due: on a connection of its own if those before it have not been
    // answered, but if there is only one worker to be asked, as soon as a connection to it is free.
    Answers run(const Probing& probing);

    void onResponse(const Head& head, uint64_t time);

private:
    void connectToWorker();
    Visitor* idleVisitor();

    Loop& loop_;
    uint16_t port_;
    Probing probing_;
    Answers answers_;
    std::vector<std::unique_ptr<Visitor>> visitors_;
};

} // namespace bench
