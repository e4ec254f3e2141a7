// All subscribers of this process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ledger.hpp"
#include "loop.hpp"
#include "request.hpp"
#include "subscriber.hpp"
#include "target.hpp"

namespace bench {

class Crowd {
public:
    Crowd(Loop& loop, const Target& target, Ledger& ledger) : loop_(loop), target_(target), ledger_(ledger) {}

    // Adds subscribers, the nth of them to channel n modulo `channels`, and waits until all have been
    // answered. So many at most (`window`) are on their way at once: the queue of a listening socket is
    // short.
    // Those of other processes must not have the same numbers (they begin `from` there): it is by them that
    // the addresses of clients are dealt out.
    void open(uint32_t count, uint32_t channels, uint32_t window, uint32_t from);
    void setClient(Client client) { client_ = client; } // what they are from now on
    void disconnect();
    void reconnect(uint32_t window);

    bool isConnected() const { return connected_; }

    // Waits until everybody has got everything, or until that time; dies if nothing more comes.
    void awaitEvents(uint64_t until = UINT64_MAX);

    uint32_t size() const { return static_cast<uint32_t>(subscribers_.size()); }
    uint32_t subscribersOf(uint32_t channel) const {
        return channel < listening_.size() ? listening_[channel] : 0;
    }
    const std::string& worker() const { return worker_; } // that has answered the last of them
    void expectSize(size_t size) { eventSize_ = size; }

    // For subscribers.
    Loop& loop() { return loop_; }
    const Target& target() const { return target_; }
    Client client() const { return client_; }
    size_t eventSize() const { return eventSize_; }
    void onReady(const std::string& worker) {
        ready_++;
        worker_ = worker;
    }
    bool onEvent(uint32_t channel, uint32_t position, uint32_t number) {
        return ledger_.receive(channel, position, number, now());
    }

private:
    void connectFrom(uint32_t first, uint32_t window);

    Loop& loop_;
    const Target& target_;
    Ledger& ledger_;
    std::vector<std::unique_ptr<Subscriber>> subscribers_;
    std::vector<uint32_t> listening_; // by channel
    Client client_ = Client::Bare;
    bool connected_ = false;
    uint32_t ready_ = 0;
    size_t eventSize_ = 0;
    std::string worker_;
};

} // namespace bench
