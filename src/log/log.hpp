// The log: a ring of records in shared memory, lock-free to read, one writer at a time. This is the readers'
// view; writer.hpp is for writers, layout.hpp says what lies where.
//
// Nothing here knows of nginx. A `Log` is a view of a span of memory that every worker has mapped; it owns
// nothing and may be copied.
//
// Reading works like a seqlock: copy, then load the tail after an acquire fence; if the tail has passed the
// record, the copy may be torn and is discarded. The writer moves the tail, then issues a release fence,
// before it overwrites.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "log/event_id.hpp"
#include "log/layout.hpp"
#include "log/siphash.hpp"
#include "log/stamp.hpp"
#include "sse/publisher_id.hpp"

namespace sse {

class Ring;
struct ChannelSummary;

// What the index knows of a channel; see LogWriter::channelAt().
struct ChannelState {
    uint32_t entry = kNoEntry;
    uint64_t newest = kNoOffset; // offset of the newest record in the ring, kNoOffset if there is none
    EventId newestId;            // the newest event that the channel has or may have had
    uint32_t subscribers = 0;
    uint64_t head = 0; // of the log at that time: all of the channel's records before it are linked
};

enum class ReadStatus {
    Ok,
    End,    // the offset is the head: nothing there yet
    Lapped, // the record has been overwritten, or is about to be
};

// Whether a record belongs to a channel. A different name counts only if the record was still whole when the
// names were compared.
enum class Match { Yes, No, Lapped };

struct StampedEvent {
    EventId id;
    Stamp stamp;
    bool ends; // its channel
};

// An event by both of its ids; that of its publisher may be empty.
struct NamedEvent {
    EventId id;
    PublisherId publisherId;
    bool ends = false; // its channel
};

// The newest break of the log. Cursors before its id have missed something there, or may have.
struct Break {
    EventId id;                  // zero: there is none
    uint64_t offset = kNoOffset; // what lies before it comes before the break; it may be evicted itself
};

// A snapshot for the status page.
struct LogStats {
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
    // Not a log yet: no other function may be called.
    Log() = default;

    // --- The memory of a log ---

    // The smallest useful ring.
    static constexpr size_t kMinCapacity = 64 * 1024;

    // Bytes that a log with this index and a ring of `capacity` needs beside the ring.
    static size_t overhead(uint32_t channels, uint64_t capacity) noexcept;
    // Bytes of the ring that a log with this index has in so much memory; 0 if that is not enough.
    static uint64_t capacityIn(size_t memorySize, uint32_t channels) noexcept;

    // Lays out an empty log in `memory` (8-byte aligned, any content), which no other process uses yet;
    // nullopt if there is not enough. The memory stays the caller's. Ids start at `nowMilliseconds` (Unix
    // time; 0 if others issue them, see NewEvent::id), the log's birth, and are of this lineage, a number
    // from 1 to kLineages - 1; it and the key should be random.
    static std::optional<Log> create(std::span<std::byte> memory, uint32_t channels, const SipKey& key,
                                     uint64_t lineage, uint64_t nowMilliseconds) noexcept;

    // A view of a log that was laid out earlier; nullopt if this version of the module cannot read it.
    static std::optional<Log> attach(std::span<std::byte> memory) noexcept;

    // What some memory contains: a log that attach() accepts, a log that it does not accept (of another
    // version of the module, or damaged), or something else.
    enum class Found { Ours, OtherLayout, Foreign };
    static Found recognise(std::span<std::byte> memory) noexcept;

    // Whether both are views of the same log.
    bool isSame(const Log& other) const noexcept { return header_ == other.header_; }

    // --- What stays as it is ---

    // The hash of a channel's name, with the log's key.
    uint64_t hash(std::string_view channel) const noexcept;
    // Bytes of the ring.
    uint64_t capacity() const noexcept;
    // The largest record in bytes, header and name included: a quarter of the ring.
    uint64_t maxRecord() const noexcept;
    // Whether an event of this size can be appended, whatever id it gets. `fieldsSize`: of NewEvent::fields.
    bool fits(std::string_view channel, size_t publisherIdSize, size_t fieldsSize) const noexcept;
    // false: the id is of another lineage, whatever this log contains.
    bool couldHaveIssued(EventId id) const noexcept;

    // --- What goes on ---

    // Of the ids of this life; LogWriter::beginLife() changes it.
    uint64_t lineage() const noexcept;

    // Grows when all subscriber counts become void until the workers have announced theirs again.
    uint32_t census() const noexcept;
    // Records in [tail, head) can be read. Acquire: what was published before the head can be seen.
    uint64_t head() const noexcept;
    uint64_t tail() const noexcept;
    // Of the newest event; exact only with the lock held.
    EventId lastId() const noexcept;
    // May not yet include a break that is being appended.
    Break newestBreak() const noexcept;
    // Whether the zone had earlier events that this log could not take over: readers get a gap whatever their
    // cursor, unless this log issued it.
    bool beganWithLoss() const noexcept;
    // Each figure is true at some moment, not all at the same one.
    LogStats stats() const noexcept;

    // --- Records ---

    // Copies the header at `offset`, which must be the start of a record (pads are reported like events).
    ReadStatus readHeader(uint64_t offset, RecordHeader& header) const noexcept;
    // Whether the record at `next` is the one that follows the record at `offset` in its chain.
    bool isLinked(uint64_t offset, uint64_t next) const noexcept;
    // Copies `length` bytes to `out`, from `position` bytes after the header of the record at `offset`: the
    // name, then the payload. false if the record was overwritten meanwhile; then the bytes are garbage.
    bool readPayload(uint64_t offset, size_t position, size_t length, char* out) const noexcept;
    Match match(uint64_t offset, const RecordHeader& header, std::string_view channel) const noexcept;
    // The same for callers that need not know why it does not match.
    bool isNamed(uint64_t offset, const RecordHeader& header, std::string_view channel) const noexcept;
    // The id of the channel's newest event to which its publisher gave that id; nullopt if there is none, or
    // if so many events have been given ids since that the table has forgotten it. `hash`: of the name.
    std::optional<EventId> findPublisherId(std::string_view channel, uint64_t hash,
                                           std::string_view publisherId) const noexcept;
    // The channel's event that a request with that stamp has published, and the position of the producer's
    // newest event in the channel. nullopt: as above.
    std::optional<NamedEvent> findStamp(std::string_view channel, uint64_t hash,
                                        const Stamp& stamp) const noexcept;
    std::optional<ProducerPosition> findProducer(std::string_view channel, uint64_t hash,
                                                 std::string_view producer) const noexcept;
    // Whether a channel's newest record is its end.
    bool hasEnded(const ChannelState& state, std::string_view channel) const noexcept;
    // Whether a channel's newest event can still be read; ends may follow it.
    bool hasEvent(const ChannelState& state) const noexcept;
    // What the ring knows of a channel that LogWriter::walk() has met (channel_walk.hpp); false: nothing, or
    // nothing any more.
    bool summarise(const ChannelState& state, ChannelSummary& summary) const noexcept;
    // How many of its events are in the ring, in some 2 log2(n) steps.
    uint32_t retainedEvents(const ChannelState& state) const noexcept;
    // The same in logs in which channels have the same places in a walk.
    uint64_t walkKey() const noexcept;

protected:
    explicit Log(LogHeader* header) noexcept;

    Ring ring(uint64_t end = 0) const noexcept;
    std::optional<EventId> lookAt(uint64_t offset, std::string_view channel,
                                  std::string_view publisherId) const noexcept;
    PublisherId publisherIdAt(uint64_t offset) const noexcept;
    std::optional<StampedEvent> stampAt(uint64_t offset, std::string_view channel) const noexcept;

    LogHeader* header_ = nullptr;
    IndexEntry* entries_ = nullptr;
    std::byte* ring_ = nullptr;

private:
    friend class TakeOver;

    bool isCalled(uint64_t offset, const RecordHeader& header, std::string_view publisherId) const noexcept;
    void findOldest(LogStats& stats) const noexcept;
};

} // namespace sse
