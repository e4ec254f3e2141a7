#include "publishers.hpp"

#include "event.hpp"
#include "patience.hpp"

namespace bench {

void Publisher::onResponse(const Head& head, std::string_view) {
    all_.onResponse(*this, head);
}

void Publishers::onResponse(Publisher& publisher, const Head& head) {
    if (head.status / 100 != 2) {
        die("a publish is answered %d", head.status);
    }
    answered_++;
    if (plan_.worker != Plan::Worker::Any &&
        (head.worker == crowd_.worker()) != (plan_.worker == Plan::Worker::Same)) {
        publisher.close(); // the next connection may meet another worker
    }
    idle_.push_back(&publisher);
}

Publishers::Result Publishers::run(const Plan& plan) {
    plan_ = plan;
    crowd_.expectSize(plan.size);
    ledger_.useChannels(plan.channels);
    while (all_.size() < plan.connections) {
        const auto number = static_cast<uint16_t>(all_.size());
        all_.push_back(std::make_unique<Publisher>(*this, number, loop_, target_.port));
    }
    idle_.clear();
    for (uint32_t i = 0; i < plan.connections * plan.pipelined; i++) {
        idle_.push_back(all_[i % plan.connections].get());
    }
    published_ = answered_ = 0;
    start_ = now();
    Patience patience;
    while (!isDone()) {
        publishWhatIsDue();
        loop_.turn(wakeAt());
        patience.check(answered_ + ledger_.delivered(), "answers or events",
                       published_ - answered_ + ledger_.missing());
    }
    return {published_, std::max(now(), ledger_.lastAt()) - start_, start_};
}

bool Publishers::isDone() const {
    const bool enough =
        plan_.seconds > 0 ? seconds(now() - start_) >= plan_.seconds : published_ == plan_.count;
    return enough && answered_ == published_ && (!crowd_.isConnected() || ledger_.isComplete());
}

void Publishers::publishWhatIsDue() {
    for (bool due = isDue(); due;) {
        Publisher& publisher = *idle_.back();
        idle_.pop_back();
        publish(publisher);
        due = isDue();
        if (!due || idle_.back() != &publisher) {
            publisher.flush();
        }
    }
}

bool Publishers::isDue() const {
    if (idle_.empty()) {
        return false;
    }
    if (plan_.seconds > 0 ? seconds(now() - start_) >= plan_.seconds : published_ == plan_.count) {
        return false;
    }
    if (plan_.wait && !ledger_.isComplete()) {
        return false;
    }
    return plan_.rate == 0 || seconds(now() - start_) * plan_.rate >= static_cast<double>(published_);
}

uint64_t Publishers::wakeAt() const {
    if (plan_.rate == 0) {
        return now() + kTurn;
    }
    return start_ + static_cast<uint64_t>(static_cast<double>(published_) / plan_.rate * 1e9);
}

void Publishers::publish(Publisher& publisher) {
    const uint32_t channel = nextChannel_;
    nextChannel_ = (nextChannel_ + 1) % plan_.channels;
    const uint32_t number = ledger_.publish(channel, publisher.number(), crowd_.subscribersOf(channel));
    published_++;
    publisher.add("POST " + expand(target_.publish, channel) +
                  " HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n" +
                  expand(target_.headers, channel, number) + "Content-Length: " + std::to_string(plan_.size) +
                  "\r\n\r\n" + eventText(number, plan_.size));
}

} // namespace bench
