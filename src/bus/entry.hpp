// An entry of the stream: an event, or something else that machines must know. Its fields are plain, and any
// program can write and read them.
//
//   channel  where the event goes, required          token  which command added it, to find it again
//   data event id retry end                          break  events may be missing before this entry
//            as in a form (sse/envelope.hpp)         raise  nothing: the entry exists for its id
//   reopen   0: left out if the channel has ended
//
// `break` and `raise` are flags, like `end`. None of these fields may come twice; other fields are ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "bus/reply.hpp"
#include "sse/buffer.hpp"
#include "sse/decode.hpp"
#include "sse/envelope.hpp"
#include "sse/staged_events.hpp"

namespace sse {

enum class EntryKind : uint8_t {
    Event, // envelope(); the channel may end with it
    End,   // the channel ends, without another event
    Break,
    Raise,
    Bad,      // to be skipped; fault() says why
    NoMemory, // nothing is wrong with the entry
};

// Reads one entry after another. Data that is not UTF-8 is repaired (sse/utf8.hpp).
class EntryReader {
public:
    // `maxData`: bytes of an event's data, after repair.
    explicit EntryReader(size_t maxData) noexcept
        : maxData_(maxData), fields_({.maxData = maxData, .maxChannels = 1, .anyIds = true}) {}

    // `fields` is the second element of an entry: names and values in turn.
    EntryKind read(const Reply& fields) noexcept;

    // Of the entry that was read last, until the next one is read. Valid after Event; after End only the
    // channel means something. There is exactly one channel.
    const Envelope& envelope() const noexcept { return envelope_; }
    std::string_view channel() const noexcept;
    // A view of the reply; empty: none.
    std::string_view token() const noexcept { return token_.value_or(std::string_view()); }
    // Whether the channel begins again with the event if it has ended.
    bool reopens() const noexcept { return reopens_; }
    // After Bad: what is wrong, for messages.
    std::string_view fault() const noexcept;
    // How many invalid sequences in the data have been replaced.
    size_t replaced() const noexcept { return replaced_; }

    // Frees the memory, which is at most about 4 times `maxData`.
    void release() noexcept;

private:
    void readField(std::string_view name, std::string_view value) noexcept;
    void readFlag(std::optional<bool>& flag, std::string_view value) noexcept;
    void readToken(std::string_view value) noexcept;
    void readEnvelopeField(std::string_view name, std::string_view value) noexcept;
    EntryKind complete() noexcept;
    EntryKind completeEvent() noexcept;
    EntryKind refuse(EnvelopeStatus status) noexcept;
    void note(EnvelopeStatus fault) noexcept;

    size_t maxData_;
    EnvelopeFields fields_;
    Buffer repaired_; // the data, if it had to be repaired

    // The entry.
    EnvelopeStatus status_ = EnvelopeStatus::Ok; // the first fault
    std::optional<bool> isBreak_;
    std::optional<bool> isRaise_;
    bool reopens_ = true;
    std::optional<std::string_view> token_;
    Envelope envelope_;
    size_t replaced_ = 0;
};

// What becomes of the channel of an event.
struct EntryFlags {
    bool ends = false;   // it ends with the event
    bool reopens = true; // if it has ended it begins again; otherwise the event is left out
};

// The fields of an entry as words, names and values in turn: what XADD takes after the id.
class EntryWords {
public:
    // An event for one channel. Channels and an end of `event` itself are ignored. An empty token is none.
    // The words refer to all of these. False without memory.
    bool setEvent(std::string_view channel, const StagedEvent& event, EntryFlags flags,
                  std::string_view token) noexcept;
    // The end of a channel alone.
    void setEnd(std::string_view channel, std::string_view token) noexcept;

    std::span<const std::string_view> view() const noexcept { return {words_, count_}; }

    static constexpr size_t kMost = 16; // words

private:
    void add(std::string_view name, std::string_view value) noexcept;
    bool addData(const RenderedFields& fields) noexcept;

    std::string_view words_[kMost];
    size_t count_ = 0;
    Buffer data_; // the data, if it has several lines
    char id_[kMaxPublisherId];
};

// Add the command that appends such an entry, XADD <stream> * <words>. False without memory; then nothing has
// been added.
bool addEntryCommand(Buffer& out, std::string_view stream, std::string_view channel, const StagedEvent& event,
                     EntryFlags flags, std::string_view token) noexcept;
bool addEndCommand(Buffer& out, std::string_view stream, std::string_view channel,
                   std::string_view token) noexcept;

} // namespace sse
