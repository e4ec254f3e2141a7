// The zone's log as the follower changes it: entries of the stream become events, in slices, together with
// how far it is (BusState).
//
// Under the zone's lock a follower makes sure that it still is the follower, so two of them do no harm. One
// that dies between an append and the store of its position has its successor find the event by its id.
#pragma once

#include <optional>

#include "bus/bus_state.hpp"
#include "bus/entry.hpp"
#include "bus/reply.hpp"
#include "bus/sync.hpp"
#include "conf/bus_config.hpp"
#include "conf/config.hpp"
#include "zone_lock.hpp"

namespace sse {

class BusLog {
public:
    enum class Outcome : uint8_t {
        Done,
        More,     // another slice is needed
        Locked,   // the lock is not to be had: later
        Replaced, // this worker is not the follower any more, or the log has been taken over by another
        NoMemory,
    };

    void init(const BusConfig& bus, const MainConfig& main) noexcept;

    LogFacts facts() const noexcept;
    // Before the slices: what Redis' clock is ahead of ours, in milliseconds.
    void setClock(int64_t ahead) noexcept { clock_ = ahead; }
    int64_t clock() const noexcept { return clock_; }

    // Begins another life, or binds the log to the stream of that lineage, as it has been planned.
    Outcome begin(const SyncPlan& plan, uint64_t lineage) noexcept;
    // What came until `id` is missing from this log, unless it has newer events.
    Outcome addGap(StreamId id) noexcept;
    // Goes back to an entry after which the stream has lost some, or has others; a break is wanted.
    Outcome goBack(StreamId id) noexcept;
    // Passes an entry over that cannot be read.
    Outcome skip(StreamId id) noexcept;

    // Appends entries from `next` on, which is moved to the first that is left (NULL: none). Wakes who
    // listens.
    Outcome append(const Reply*& next) noexcept;

    // Looks through entries, the newest first, for one that the log has; `found` is it, or the first that is
    // older than everything in the log.
    Outcome findKnown(const Reply*& next, std::optional<StreamId>& found) noexcept;

    // Frees what a large entry has left.
    void release() noexcept;

private:
    std::optional<ZoneLock> acquire(Outcome& outcome) const noexcept;
    Outcome handle(LogWriter& log, const Reply& entry) noexcept;
    Outcome handle(LogWriter& log, StreamId id, const Reply& fields) noexcept;
    EntryKind read(const Reply& fields) noexcept;
    Outcome appendEvent(LogWriter& log, StreamId id) noexcept;
    bool render(const Event& event) noexcept;
    Outcome append(LogWriter& log, StreamId id, bool isEnd) noexcept;
    void setPosition(StreamId id) noexcept;
    void appendBreak(LogWriter& log, StreamId id) noexcept;
    bool isKnown(LogWriter& log, StreamId id, const Reply& fields) noexcept;
    bool isReserved(std::string_view type) const noexcept;
    void noteSkipped(StreamId id, std::string_view why) noexcept;
    void wake() noexcept;

    const BusConfig* bus_ = nullptr;
    const MainConfig* main_ = nullptr;
    Zone* zone_ = nullptr;
    BusState* state_ = nullptr;
    int64_t clock_ = 0;
    bool wasBound_ = false; // to the stream, before begin()
    std::optional<EntryReader> reader_;
    Buffer fields_;        // of the event that is being appended
    size_t sliceSize_ = 0; // what has been done in this slice, in bytes
    ListenerSet listeners_{};
    bool wakesAll_ = false;
    ngx_msec_t loggedAt_ = 0; // when the last skipped entry was logged
    uint64_t unlogged_ = 0;   // that have been skipped since
};

} // namespace sse
