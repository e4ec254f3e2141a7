// The log: a ring of records in shared memory, lock-free to read, one writer at a time.
//
// Nothing here knows of nginx. A `Log` is a view of a span of memory that every worker has mapped; it owns
// nothing and may be copied. Writers call with the zone's lock held, readers without.
//
// Writing publishes with one release-store of the head. Whatever a killed writer left half done is either
// invisible (the head was not stored) or is put right by the next writer, which finds the `dirty` mark.
//
// Reading works like a seqlock: copy out, then look at the tail behind an acquire fence; a tail that has
// passed the record means that the copy may be torn and is thrown away. The writer moves the tail, then a
// release fence, before it overwrites.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "log/event_id.hpp"
#include "log/index.hpp"
#include "log/record.hpp"
#include "log/siphash.hpp"

namespace sse {

struct ZoneHeader; // what lies at the start of the memory, see zone.hpp
class Ring;

// An event on its way into the log.
struct NewEvent {
    std::string_view channel; // 1 to 255 bytes
    uint64_t hash;            // Log::hash(channel)
    std::string_view ownId;   // the publisher's id, may be empty; goes behind the log's id: "id: 5-1~own"
    bool end = false;         // no event but the end of the channel; `ownId` and `fields` are empty then
    std::string_view
        fields; // everything of the rendered event behind its id line, with the closing blank line
};

enum class AppendStatus {
    Ok,
    TooLarge, // the record would be larger than a quarter of the ring
    Retired,  // another log has taken over
};

struct Appended {
    AppendStatus status = AppendStatus::Ok;
    EventId id;
    ListenerSet listeners{};  // whom to wake
    uint32_t subscribers = 0; // of the channel, all workers together
};

// What the index knows of a channel.
struct ChannelState {
    uint32_t entry = kNoEntry;
    uint64_t newest = kNoOffset; // offset of the newest record in the ring, kNoOffset if there is none
    EventId newestId;            // the newest event that the channel has or may have had
    uint32_t subscribers = 0;
    uint64_t head = 0; // of the log when this was so: all of the channel's records before it hang together
};

enum class ReadStatus {
    Ok,
    End,    // the offset is the head: nothing there yet
    Lapped, // the record has been overwritten, or is about to be
};

// Whether a record is a channel's. That its name differs counts only if the record was still whole when they
// were compared.
enum class Match { Yes, No, Lapped };

// A snapshot for the status page.
struct LogFigures {
    uint64_t capacity;  // bytes of the ring
    uint64_t used;      // bytes between tail and head
    EventId firstId;    // of the oldest event in the ring; zero if there is none that can be read
    EventId lastId;     // of the newest event ever; the birth of the log if there was none
    uint64_t published; // events appended since the log was made
    uint64_t evicted;   // events that newer ones have overwritten
    uint32_t channels;  // entries in use
    uint32_t channelCapacity;
    uint64_t forgottenChannels; // channels that lost their history because the index was full
};

class Log {
public:
    // No log yet: nothing may be called.
    Log() = default;

    // Bytes that a log with this index needs beside its ring.
    static size_t overhead(uint32_t channels) noexcept;

    // The smallest ring that is any use.
    static constexpr size_t kMinCapacity = 64 * 1024;

    // Lays out an empty log in `memory` (8-byte aligned, any content), which has to be larger than
    // overhead(channels) + kMinCapacity; nullopt if it is not. Ids start at `nowMilliseconds`, the log's
    // birth, and carry `mark`; this and the key should be random.
    static std::optional<Log> create(std::span<std::byte> memory, uint32_t channels, const SipKey& key,
                                     uint64_t mark, uint64_t nowMilliseconds) noexcept;

    // A view of a log that was laid out earlier; nullopt if it was not made by this version of the module.
    static std::optional<Log> attach(std::span<std::byte> memory) noexcept;

    // What lies in some memory: a log that attach() takes, one that it does not (of another version of the
    // module, or spoilt), or something else.
    enum class Found { Ours, OtherLayout, Foreign };
    static Found recognise(std::span<std::byte> memory) noexcept;

    // For a log whose zone held events before that it cannot take over: readers are told a gap whatever their
    // cursor, unless this log gave it. Before anybody reads.
    void noteLoss() noexcept;
    bool beganWithLoss() const noexcept;

    // Whether both are views of the same log.
    bool isSame(const Log& other) const noexcept { return header_ == other.header_; }

    uint64_t hash(std::string_view channel) const noexcept;
    uint64_t capacity() const noexcept;
    // false: the id is of another log's life, whatever this one holds.
    bool mayHaveGiven(EventId id) const noexcept;
    // The largest record, header and name included: a quarter of the ring.
    uint64_t maxRecord() const noexcept;
    LogFigures figures() const noexcept; // lock-free, each figure true at some moment

    // --- Writers: the zone's lock is held ---

    // Appends one event and makes it visible; evicts the oldest as far as needed.
    Appended append(const NewEvent& event, uint64_t nowMilliseconds) noexcept;

    // Takes over, into this log that is still empty, all that the other one holds and that fits: events, ids,
    // the names' key, the mark, and what is needed to decide about gaps. The newest events stay. The other
    // one is retired: it can be read to its end, and nothing can be appended, so that no event gets lost in
    // it. Both locks are held.
    void takeOver(Log& old) noexcept;

    // Puts right what a killed writer has left; every writer's call does so first, by itself.
    void recover() noexcept;

    // Marks a worker as a listener of a channel, making the index entry if there is none. The entry stays
    // until the last listener has left. state.entry is kNoEntry if the index is full of channels that are
    // listened to.
    ChannelState listen(uint64_t hash, uint32_t listener) noexcept;
    // Takes that mark back.
    void unlisten(uint32_t entry, uint32_t listener) noexcept;
    // Adds to (or takes from) the subscribers of an entry. Before the unlisten: afterwards it may be another
    // channel's.
    void count(uint32_t entry, int32_t change) noexcept;

    // What is known of a channel; without an entry: newest is kNoOffset, newestId the newest id that any
    // forgotten channel had (at least the birth of the log).
    ChannelState find(uint64_t hash) noexcept;
    ChannelState state(uint32_t entry) noexcept;

    // A listener is no more: takes back its marks on entries [from, from + count), returns whether there are
    // more. In slices, so that nobody waits long for the lock.
    bool forgetListener(uint32_t listener, uint32_t from, uint32_t count) noexcept;
    // Starts a new census: all subscriber counts are void until the workers have announced theirs again.
    void beginCensus() noexcept;

    // --- Readers: no lock ---

    uint32_t census() const noexcept;
    uint64_t head() const noexcept; // acquire
    uint64_t tail() const noexcept;
    EventId lastId() const noexcept; // exact only with the lock held

    // Copies the header at `offset`, which must be the start of a record (pads are reported like events).
    ReadStatus read(uint64_t offset, RecordHeader& header) const noexcept;
    // Copies `length` bytes at `position` behind the header of the record at `offset`: the name, then the
    // payload. false if the record was overwritten meanwhile: the bytes are garbage then.
    bool copy(uint64_t offset, size_t position, size_t length, char* out) const noexcept;
    Match match(uint64_t offset, const RecordHeader& header, std::string_view channel) const noexcept;
    // The same where it does not matter why it is not.
    bool isNamed(uint64_t offset, const RecordHeader& header, std::string_view channel) const noexcept;
    // Whether a channel's newest record is its end.
    bool hasEnded(const ChannelState& state, std::string_view channel) const noexcept;

private:
    Log(ZoneHeader* header, IndexEntry* entries, std::byte* ring) noexcept;

    Ring ring() const noexcept;
    Index index() const noexcept;
    ChannelState look(uint32_t entry) const noexcept;
    bool findOldest(uint64_t& tail, RecordHeader& oldest) const noexcept;
    // Around every change by a writer; what lies between may be cut off by death at any point.
    void begin() noexcept;
    void end() noexcept;
    void makeRoom(uint64_t newHead) noexcept;
    void insert(RecordHeader record, std::initializer_list<std::string_view> pieces) noexcept;
    bool takeRecords(const Log& old, uint64_t tail, uint64_t head) noexcept;
    void take(const Log& old, uint64_t offset, const RecordHeader& record) noexcept;
    void loseTrack() noexcept;
    void publish(uint64_t offset, const RecordHeader& record) noexcept;
    void redo(uint64_t offset, const RecordHeader& record) noexcept;

    ZoneHeader* header_ = nullptr;
    IndexEntry* entries_ = nullptr;
    std::byte* ring_ = nullptr;
};

} // namespace sse
