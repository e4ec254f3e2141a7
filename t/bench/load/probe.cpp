#include "probe.hpp"

#include <algorithm>

#include "patience.hpp"

namespace bench {

namespace {

constexpr size_t kConnectionsToWorker = 8;

} // namespace

void Visitor::onResponse(const Head& head, std::string_view) {
    worker_ = head.worker;
    probe_.onResponse(head, now() - due_);
}

// A server that takes its leave closes its connections. Who has not been answered asks again.
void Visitor::onClosed() {
    if (!isIdle()) {
        repeat();
    }
}

void Probe::onResponse(const Head& head, uint64_t time) {
    const bool refused = head.status == probing_.refusal;
    if (head.status / 100 != 2 && !refused) {
        die("a probe is answered %d", head.status);
    }
    answers_.times.push_back(time);
    answers_.refused += refused;
}

Answers Probe::run(const Probing& probing) {
    probing_ = probing;
    if (!probing.worker.empty()) {
        connectToWorker();
    }
    answers_ = {};
    const std::vector<uint64_t>& times = answers_.times;
    Patience patience;
    const uint64_t start = now();
    const auto count = static_cast<uint64_t>(probing.rate * probing.seconds);
    for (uint64_t asked = 0; times.size() < count;) {
        const uint64_t due = start + static_cast<uint64_t>(static_cast<double>(asked) / probing.rate * 1e9);
        Visitor* visitor = asked < count && now() >= due ? idleVisitor() : nullptr;
        if (visitor != nullptr) {
            visitor->ask(probing.request, due);
            asked++;
        } else {
            loop_.turn(asked < count && now() < due ? due : now() + kTurn);
        }
        patience.check(times.size(), "the answers to probes", count - times.size());
    }
    return std::move(answers_);
}

Visitor* Probe::idleVisitor() {
    const auto idle =
        std::find_if(visitors_.begin(), visitors_.end(), [](const auto& one) { return one->isIdle(); });
    if (idle != visitors_.end()) {
        return idle->get();
    }
    if (!probing_.worker.empty()) {
        return nullptr;
    }
    visitors_.push_back(std::make_unique<Visitor>(*this, loop_, port_));
    return visitors_.back().get();
}

// Who meets another worker closes the connection, and tries again.
void Probe::connectToWorker() {
    Patience patience;
    while (visitors_.size() < kConnectionsToWorker) {
        auto visitor = std::make_unique<Visitor>(*this, loop_, port_);
        visitor->ask(probing_.request, now());
        while (!visitor->isIdle()) {
            loop_.turn(now() + kTurn);
            patience.check(visitors_.size(), "connections to a worker", kConnectionsToWorker);
        }
        if (visitor->worker() == probing_.worker) {
            visitors_.push_back(std::move(visitor));
        }
    }
}

} // namespace bench
