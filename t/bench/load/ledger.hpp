// What was published, and the check that each subscriber got all of it, once and in order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loop.hpp"

namespace bench {

// Events are numbered as they are published. The first subscriber that gets the nth event of its channel
// writes down which one it was, and every other subscriber of the channel has to get the same one as its nth.
// What is written down has to be new, of this channel, and newer than all that the same publisher had sent
// before.
class Ledger {
public:
    void useChannels(uint32_t count) {
        if (channels_.size() < count) {
            channels_.resize(count);
        }
    }

    // Notes an event of that publisher that so many subscribers have to get; its number.
    uint32_t publish(uint32_t channel, uint16_t publisher, uint32_t subscribers) {
        events_.push_back({now(), channel, subscribers, publisher, false});
        channels_[channel].published++;
        expected_ += subscribers;
        return static_cast<uint32_t>(events_.size() - 1);
    }

    // A subscriber got an event as the one at that position. False if it should not have.
    bool receive(uint32_t channel, uint32_t position, uint32_t number, uint64_t time) {
        std::vector<uint32_t>& order = channels_[channel].order;
        if (position < order.size() ? order[position] != number : !append(channel, number)) {
            return false;
        }
        delivered_++;
        lastAt_ = time;
        Event& event = events_[number];
        if (--event.missing == 0 && recording_) {
            latencies_.push_back(time - event.time);
        }
        return true;
    }

    uint32_t eventsOf(uint32_t channel) const { return channels_[channel].published; }
    uint64_t delivered() const { return delivered_; }
    bool isComplete() const { return delivered_ == expected_; }
    uint64_t missing() const { return expected_ - delivered_; }
    uint64_t lastAt() const { return lastAt_; } // when the last event arrived

    // How long events took to reach the last of their subscribers, from now on.
    void record() {
        latencies_.clear();
        recording_ = true;
    }
    std::vector<uint64_t>& latencies() { return latencies_; }

private:
    struct Event {
        uint64_t time;
        uint32_t channel;
        uint32_t missing; // subscribers that have not got it
        uint16_t publisher;
        bool listed;
    };
    struct Channel {
        std::vector<uint32_t> order;
        std::vector<uint32_t> newest; // by publisher: the number behind its newest event
        uint32_t published = 0;
    };

    bool append(uint32_t channel, uint32_t number) {
        if (number >= events_.size() || events_[number].listed || events_[number].channel != channel) {
            return false;
        }
        Event& event = events_[number];
        std::vector<uint32_t>& newest = channels_[channel].newest;
        if (newest.size() <= event.publisher) {
            newest.resize(event.publisher + 1U);
        }
        if (number < newest[event.publisher]) {
            return false;
        }
        newest[event.publisher] = number + 1;
        event.listed = true;
        channels_[channel].order.push_back(number);
        return true;
    }

    std::vector<Channel> channels_;
    std::vector<Event> events_;
    std::vector<uint64_t> latencies_;
    uint64_t expected_ = 0;
    uint64_t delivered_ = 0;
    uint64_t lastAt_ = 0;
    bool recording_ = false;
};

} // namespace bench
