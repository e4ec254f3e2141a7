// The writers' side of the log. There is one writer at a time, the one that holds the zone's lock: a
// LogWriter is obtained from the lock (src/zone_lock.hpp), so the compiler knows who holds it.
//
// Writing publishes with one release-store of the head. What a killed writer left half done is either
// invisible (the head was not stored) or is repaired by the next writer, which finds the log `dirty`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "log/log.hpp"

namespace sse {

class Index;
struct WalkedChannel;
struct WalkedPart;

// An event on its way into the log. The bytes are the caller's and are copied.
struct NewEvent {
    std::string_view channel;     // 1 to kMaxChannelName bytes
    uint64_t hash;                // Log::hash(channel)
    std::string_view publisherId; // may be empty; follows the log's id: "id: 5-1~theirs"
    std::string_view stamp = {};  // Stamp::bytes() of the request that has brought it; may be empty
    bool end = false;        // the channel ends with it; without fields it is no event, but the end alone
    std::string_view fields; // all of the rendered event after its id line, with the closing blank line
    EventId id = {};         // of the log's lineage, and newer than all before; zero: the log issues one
};

enum class AppendStatus {
    Ok,
    TooLarge, // the record would be larger than a quarter of the ring
    Retired,  // another log has taken over
    OldId,    // the given id is not newer than all before, or of another life
    // These come from callers, never from the log:
    Locked,   // the lock could not be taken
    Ended,    // the channel has ended, and must not begin again
    Unwanted, // a precondition says that nothing is to be appended
};

struct Appended {
    AppendStatus status = AppendStatus::Ok;
    EventId id;
    ListenerSet listeners{};  // the workers to wake
    uint32_t subscribers = 0; // of the channel, all workers together
    uint64_t bytes = 0;       // of what subscribers get
};

// Events of one channel on their way into the log. Nobody sees them before all of them are there.
struct Draft {
    uint64_t time;               // of the events
    uint64_t from;               // the head of the log: what lies from here on is not part of it yet
    uint64_t end;                // where the next record goes
    EventId lastId;              // of the last event, or of the log's
    uint64_t number;             // how many events come before the next one
    uint64_t size = 0;           // bytes of the records
    uint64_t payload = 0;        // and of the events in them
    uint64_t first = kNoOffset;  // offset of the first record
    uint64_t newest = kNoOffset; // and of the last
    uint32_t entry = kNoEntry;   // of their channel
    EventId newestId;            // of the last that is an event
};

// A writer can also read; no other writer can change what it sees.
class LogWriter : public Log {
public:
    // For tests, and for memory that nobody else uses: no lock says that this is the only writer.
    static LogWriter withoutLock(const Log& log) noexcept { return LogWriter(log); }

    // Stays with its lock.
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    // Appends one event and makes it visible; evicts the oldest ones as needed. `nowMilliseconds`: Unix time.
    Appended append(const NewEvent& event, uint64_t nowMilliseconds) noexcept;

    // The same for several events of one channel, which become visible together: all of them or, if this
    // writer dies, none. After begin() nothing else may be called but add(), and in the end commit(), if
    // there is an event, or abandon(). An event that is not accepted leaves the draft as it was. Together
    // their records may take a quarter of the ring. abandon() does not bring back what has been evicted for
    // them.
    Draft begin(uint64_t nowMilliseconds) noexcept;
    AppendStatus add(Draft& draft, const NewEvent& event) noexcept;
    Appended commit(const Draft& draft) noexcept;
    void abandon(const Draft& draft) noexcept;

    // Appends a break: cursors before its id have missed something there, or may have, and get a gap once
    // they have read what is left before it. The id becomes the newest of the log; it must not be less than
    // the newest so far. Wakes no worker: the caller wakes all of them, and all their subscribers read the
    // log.
    AppendStatus appendBreak(EventId id) noexcept;

    // Begins another life of the log, with ids of that lineage (1 to kLineages - 1, another one than before),
    // which the source of the ids has chosen. All events are evicted, cursors of the old life are unknown,
    // and a new id may be arbitrarily small. Channels keep their listeners, whose tails are lapped: the
    // caller wakes all workers. false: another log has taken over. Walks the whole index.
    //
    // If the writer dies in here, the life has begun or it has not; calling it again does no harm.
    bool beginLife(uint64_t lineage) noexcept;

    // Another log takes over (take_over.hpp): this one can be read to its end, and nothing can be appended.
    void retire() noexcept;
    bool isRetired() const noexcept { return header_->retired != 0; }

    // For a log whose zone had earlier events that it cannot take over; see beganWithLoss(). To be called
    // before the first reader.
    void noteLoss() noexcept;

    // Repairs what a killed writer has left; every other call does this first.
    void recover() noexcept;

    // --- Channels ---

    // Adds a listener to a channel, making the index entry if there is none. The entry stays until the last
    // listener has left. state.entry is kNoEntry if the index is full of channels with listeners.
    ChannelState listen(uint64_t hash, uint32_t listenerId) noexcept;
    // Removes it again.
    void unlisten(uint32_t entry, uint32_t listenerId) noexcept;
    // Changes the number of subscribers of an entry. Before unlisten(): afterwards the entry may be another
    // channel's.
    void addSubscribers(uint32_t entry, int32_t change) noexcept;

    // What is known of a channel; without an entry: newest is kNoOffset, newestId the newest id that any
    // forgotten channel had (at least the birth of the log).
    ChannelState findChannel(uint64_t hash) noexcept;
    ChannelState channelAt(uint32_t entry) noexcept;
    // Whether the channel's event with exactly that id is in the ring; and, if they are given, with these
    // fields (NewEvent::fields), because other publishers may have given the same id to another event.
    bool holds(std::string_view channel, uint64_t hash, EventId id) noexcept;
    bool holds(std::string_view channel, uint64_t hash, EventId id, std::string_view fields) noexcept;

    // The next channels in use of a walk through all of them (channel_walk.hpp), from that place on: at most
    // as many as there is room for, and maybe none yet. 0 is the first place.
    WalkedPart walk(uint64_t from, std::span<WalkedChannel> room) noexcept;

    // Removes listeners that are gone from the entries [from, from + count); returns whether there are more.
    // In slices, so that no process waits long for the lock.
    bool forgetListeners(const ListenerSet& ids, uint32_t from, uint32_t count) noexcept;
    // Starts a new census: all subscriber counts are void until the workers have announced theirs again.
    // Until then a channel that a worker listens to has at least one.
    void beginCensus() noexcept;

private:
    friend class ZoneLock; // knows that the lock is held
    friend class TakeOver;

    explicit LogWriter(const Log& log) noexcept : Log(log) {}

    Index index() const noexcept;
    ChannelState stateOf(uint32_t entry) const noexcept;
    size_t walkBucket(uint64_t place, std::span<WalkedChannel> room, bool& more) const noexcept;

    // Called around every change, which the death of the process may interrupt at any point. No guard object:
    // a writer that dies in a test leaves by longjmp, which runs no destructor.
    void beginChange() noexcept;
    void endChange() noexcept;

    bool isOfThisLife(EventId id) const noexcept;
    bool findEvent(std::string_view channel, uint64_t hash, EventId id, uint64_t& offset,
                   RecordHeader& header) noexcept;
    void finishLife() noexcept;

    Draft makeDraft(uint64_t nowMilliseconds) const noexcept;
    void write(Draft& draft, RecordHeader& record, std::initializer_list<std::string_view> pieces) noexcept;
    uint64_t makePlace(Draft& draft, RecordHeader& record) noexcept;
    void chain(const Ring& ring, RecordHeader& record, std::string_view name) const noexcept;
    void makeRoom(uint64_t newHead) noexcept;
    void publish(const Draft& draft) noexcept;
    void applyToIndex(uint64_t from) noexcept;
    void addPublisherId(uint64_t offset, const RecordHeader& record) const noexcept;
    void addStamp(uint64_t offset, const RecordHeader& record) const noexcept;
    void applyToIndex(uint64_t offset, const RecordHeader& record) noexcept;
};

} // namespace sse
