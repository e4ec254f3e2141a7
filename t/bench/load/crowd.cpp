#include "crowd.hpp"

#include "patience.hpp"

namespace bench {

void Crowd::open(uint32_t count, uint32_t channels, uint32_t window, uint32_t from) {
    const uint32_t first = size();
    ledger_.useChannels(channels);
    listening_.resize(std::max<size_t>(listening_.size(), channels));
    for (uint32_t i = first; i < first + count; i++) {
        subscribers_.push_back(std::make_unique<Subscriber>(*this, from + i, i % channels));
        listening_[i % channels]++;
    }
    connectFrom(first, window);
}

void Crowd::disconnect() {
    for (const auto& subscriber : subscribers_) {
        subscriber->close();
    }
    connected_ = false;
}

void Crowd::reconnect(uint32_t window) {
    connectFrom(0, window);
}

void Crowd::connectFrom(uint32_t first, uint32_t window) {
    connected_ = true;
    ready_ = first;
    Patience patience;
    for (uint32_t next = first; ready_ < size();) {
        while (next < size() && next - ready_ < window) {
            subscribers_[next++]->connect();
        }
        loop_.turn(now() + kTurn);
        patience.check(ready_, "subscribers to be answered", size() - ready_);
    }
}

void Crowd::awaitEvents(uint64_t until) {
    Patience patience;
    while (!ledger_.isComplete() && now() < until) {
        loop_.turn(now() + kTurn);
        patience.check(ledger_.delivered(), "events", ledger_.missing());
    }
}

} // namespace bench
