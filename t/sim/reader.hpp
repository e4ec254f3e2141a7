// A subscriber: catches up from its cursor by a replay, then follows the log. Everything that it receives,
// and every gap that it is told of, is compared with the truth.
//
// The rule: it receives each event of its channels once, complete and in order. Events that it does not
// receive come before all events of their channel that it does receive, and a gap has reported them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/replay.hpp"
#include "zone.hpp"

namespace sse::sim {

class Reader {
public:
    // The index has no entry for one of them: the subscriber cannot stay.
    static constexpr uint64_t kNotListening = UINT64_MAX;

    struct Subscription {
        std::vector<uint32_t> channels;
        std::vector<uint32_t> entries{};      // of the channels, if it listens
        uint64_t listensFrom = kNotListening; // number of the first event that comes while it listens
        EventId cursor{};
        History history{};
    };

    Reader(World& world, std::shared_ptr<Zone> zone, Subscription subscription);

    // Does a little, on the fiber of the worker.
    void step();

    bool isLive() const { return state_ == State::Live; }
    bool isDone() const { return state_ == State::Done; }
    EventId cursor() const { return cursor_; }
    const Subscription& subscription() const { return subscription_; }

private:
    enum class State { New, Seeking, Replaying, Live, Done };

    // What it knows of one channel.
    struct Account {
        uint64_t next = 0;           // events before are given, or told to be missing
        uint64_t firstKept = 0;      // events before are out of its history
        bool isComplete = false;     // nothing can be missing from now on
        uint64_t unread = kNoOffset; // when it follows: the first record that it has left for later
    };

    void takeStock();
    void noteStock();
    void seek();
    void begin();
    void replay();
    void follow();
    void look();
    bool isBehind() const;
    void readOn();
    void onLapped(uint64_t offset);
    void finish();
    void onBreak();
    void passBreak();
    bool take(uint64_t offset, const RecordHeader& record);
    void given(const RecordHeader& record);
    void pass(size_t channel, uint64_t until);
    uint64_t firstKept(uint32_t channel) const;
    void checkEnd(const ReplayChannel& state, uint32_t channel) const;

    World& world_;
    std::shared_ptr<Zone> zone_;
    Subscription subscription_;
    State state_ = State::New;
    EventId cursor_;
    uint64_t lag_; // percent of the records that it leaves for later

    // Of the replay.
    std::shared_ptr<Life> life_; // in which stock was taken
    size_t breaks_ = 0;          // that there were
    bool isBroken_ = false;      // the newest of them is still to be passed
    std::vector<ReplayChannel> channels_;
    std::optional<Replay> replay_;
    std::vector<Account> accounts_;
    EventId base_;           // the cursor that it began with
    EventId last_;           // record that it was given
    EventId lastId_;         // of the log when stock was taken
    uint64_t stock_ = 0;     // how many events there were
    uint64_t stockTail_ = 0; // and where the tail was
    uint64_t evicted_ = 0;   // what was evicted when the seek was done
    uint64_t skipped_ = 0;   // events that are missing
    bool areGone_ = false;   // some of them cannot even be counted
    bool isTold_ = false;    // that some may be missing
    ReplayEvent event_;
    std::string payload_;

    uint64_t position_ = 0; // when it follows the log: it has looked at all records before
};

} // namespace sse::sim
