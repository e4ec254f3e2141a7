// The zone's log as the follower changes it: entries of the stream become events, in slices, and the position
// of the log is stored along with them (BusState).
//
// Under the zone's lock a follower makes sure that it still is the follower, so two of them do no harm. If a
// follower dies between an append and the store of the position, its successor finds the event by its id.
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
        Locked,   // the lock is not available: try again later
        Replaced, // this worker is not the follower any more, or the log has been taken over by another
        NoMemory,
    };

    void init(const BusConfig& bus, const MainConfig& main) noexcept;

    LogFacts facts() const noexcept;
    // Call this before the slices. `ahead`: how far Redis' clock is ahead of ours, in milliseconds.
    void setClock(int64_t ahead) noexcept { clock_ = ahead; }
    int64_t clock() const noexcept { return clock_; }

    // Begins another life, or binds the log to the stream of that lineage, as planned.
    Outcome begin(const SyncPlan& plan, uint64_t lineage) noexcept;
    // Appends a break: what came up to `id` is missing from this log. Does nothing if the log has newer
    // events.
    Outcome addGap(StreamId id) noexcept;
    // Goes back to an entry after which the stream has lost entries, or has other ones. The stream must then
    // get a break.
    Outcome goBack(StreamId id) noexcept;
    // Passes over an entry that cannot be read.
    Outcome skip(StreamId id) noexcept;

    // Appends the entries from `next` on, and moves `next` to the first that is left (NULL: none). Wakes the
    // listeners.
    Outcome append(const Reply*& next) noexcept;

    // Looks through entries, the newest first, for one that the log has. `found` becomes the id of that
    // entry, or of the first one that is older than everything in the log.
    Outcome findKnown(const Reply*& next, std::optional<StreamId>& found) noexcept;

    // Frees the memory that a large entry has left allocated.
    void release() noexcept;

private:
    std::optional<ZoneLock> acquire(Outcome& outcome) const noexcept;
    Outcome handle(LogWriter& log, const Reply& entry) noexcept;
    Outcome handle(LogWriter& log, StreamId id, const Reply& fields) noexcept;
    EntryKind read(const Reply& fields) noexcept;
    Outcome appendEvent(LogWriter& log, StreamId id) noexcept;
    bool hasEnded(LogWriter& log) const noexcept;
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
    uint64_t unlogged_ = 0;   // entries that have been skipped since then
};

} // namespace sse
