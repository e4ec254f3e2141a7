// The follower reads the stream into the zone's log. One worker of the machine is the follower (bus.hpp).
//
//   connect --> sync --> read <--> append
//                |        ^
//                +- measure (an empty log: how much of the stream fits)
//                +- walk back (a stream that has lost entries: to the newest that both have)
//
// Whatever goes wrong, it connects to the next address and syncs again.
#pragma once

#include "bus/bus_log.hpp"
#include "bus/connection.hpp"
#include "bus/continuity.hpp"
#include "bus/log_pace.hpp"
#include "bus/pulse.hpp"
#include "bus/sync.hpp"
#include "conf/config.hpp"
#include "worker/loop_event.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class Follower {
public:
    // Called with each entry of the control stream that is not a probe. `fields`: names and values in turn.
    // `age`: for how many milliseconds the entry has been there.
    using ControlHandler = void (*)(Zone& zone, const Reply& fields, ngx_msec_t age) noexcept;

    // Once, in the worker.
    void init(const BusConfig& bus, const MainConfig& main, ControlHandler onControl) noexcept;

    void start() noexcept;
    void stop() noexcept;
    bool isRunning() const noexcept { return phase_ != Phase::Off; }
    // About ten times a second.
    void keepUp() noexcept;

private:
    enum class Phase : uint8_t { Off, Connecting, Syncing, Measuring, WalkingBack, Marking, Reading };

    void stepDown() noexcept;
    void open() noexcept;
    void close() noexcept;
    void setConnected(bool isConnected) noexcept;
    void onClosed(std::string_view why) noexcept;
    void reconnect(std::string_view why) noexcept;
    void noteLost(std::string_view why) noexcept;
    void noteProgress() noexcept;
    void onTooLarge() noexcept;
    void onLargePage(StreamId id) noexcept;
    void skipControl(StreamId id) noexcept;
    bool onReply(const Reply& reply) noexcept;
    void onPause() noexcept;
    bool check(BusLog::Outcome outcome) noexcept;

    void sync() noexcept;
    void syncLater() noexcept;
    void onSyncReply(const Reply& reply) noexcept;
    bool isOurs(const Reply& entry) const noexcept;
    void onControlEnd(const Reply& reply) noexcept;
    void onTime(uint64_t time) noexcept;
    void carryOut(const SyncPlan& plan) noexcept;
    void logPlan(const SyncPlan& plan) const noexcept;

    void askForPage(std::string_view end) noexcept;
    void askForOlder() noexcept;
    bool onPage(const Reply& reply) noexcept;
    void onPageLookedAt() noexcept;
    void finishFill() noexcept;
    void finishWalk(StreamId id) noexcept;

    void beginReading(StreamId from) noexcept;
    void goOn() noexcept;
    void mark(std::string_view id, bool isBreak) noexcept;
    void onMarked(const Reply& reply) noexcept;
    void noteNotMarked(std::string_view why) noexcept;
    size_t countToAsk() const noexcept;
    void read() noexcept;
    bool onRead(const Reply& reply) noexcept;
    void look() noexcept;
    void onLook(const Reply& reply) noexcept;
    void tellMissed(StreamId upTo) noexcept;
    bool onEntries(const Reply& reply) noexcept;
    void onNothing() noexcept;
    void handleControl(const Reply& entries) noexcept;
    ngx_msec_t ageOf(StreamId id) const noexcept;
    bool takeEntries(const Reply& entries) noexcept;
    void noteEntries() noexcept;
    void noteSize(const Reply& entries, size_t most) noexcept;
    void noteCaughtUp() noexcept;
    bool isCaughtUp() const noexcept { return !target_ || state_->position() >= *target_; }

    bool beginSlices(const Reply* first) noexcept;
    bool runSlice() noexcept;
    void onSliceTurn() noexcept;

    static constexpr size_t kFirstCount = 100; // entries to ask for at first, and at most
    static constexpr size_t kMostCount = 1000;
    static constexpr ngx_msec_t kLockPause = 50; // before a lock that was not available is tried again

    const BusConfig* bus_ = nullptr;
    BusState* state_ = nullptr;
    ControlHandler onControl_ = nullptr;
    BusLog log_;
    Connection connection_;
    Pulse pulse_;
    Phase phase_ = Phase::Off;
    bool isLooking_ = false; // Reading: the next reply is to a look
    LoopEvent pause_;        // before something is tried again
    ngx_msec_t heardAt_ = 0; // when the last reply came, or much of one, or a command was sent
    uint64_t received_ = 0;  // bytes that had come when progress was last noted
    LogPace pace_;           // for messages that there is no connection
    LogPace markPace_;       // and for those that the stream cannot be marked
    size_t mostReply_ = 0;

    // Syncing.
    unsigned answers_ = 0;
    StreamFacts facts_;
    StreamId controlEnd_; // the newest entry of the control stream

    // Pages.
    size_t asked_ = 0;               // entries that were asked for in a page
    size_t mostOfPage_ = kMostCount; // fewer after one that was too large
    bool isLastPage_ = false;
    StreamId oldest_;          // the oldest entry that has come; zero: none
    bool beganBefore_ = false; // that entry is a raise
    StreamId floor_;           // entries before this one cannot be read
    uint64_t measured_ = 0;    // bytes that the entries will take in the log
    std::optional<StreamId> found_;

    // Reading.
    StreamId newest_;                // the newest id that the stream has issued, as far as is known
    std::optional<StreamId> target_; // once this entry is there, the log has caught up
    const Reply* read_ = nullptr;    // the answer to XREAD, until that for the lineage has come
    StreamId readFrom_;              // entries are read after this one,
    StreamId control_;               // and after this one of the control stream
    StreamId large_;                 // up to this one, entries are read one at a time
    size_t count_ = kFirstCount;     // entries to ask for
    ngx_msec_t askedAt_ = 0;
    Continuity continuity_;
    ngx_msec_t lookedAt_ = 0;
    ngx_msec_t lookPause_ = 0; // until the next look
    uint64_t lookedFrom_ = 0;  // bytes that had come before the reply to the last look

    // Slices.
    const Reply* next_ = nullptr; // the entries of the reply that are left
    Task slice_;
};

} // namespace sse
