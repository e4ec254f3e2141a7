// The answer to a poll: events as JSON instead of a stream.
//
//   {"gap":{…},"events":[{"id":"…","type":"message","data":"…"},…],"cursor":"…","more":true}
//
// It is rendered part by part, and no call does more than a part. Each appends to `out`, which the caller may
// empty in between. It returns false without memory; then the answer must be discarded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/event.hpp"
#include "sse/notices.hpp"
#include "sse/parse.hpp"
#include "sse/publisher_id.hpp"
#include "sse/short_text.hpp"

namespace sse {

class PollAnswer {
public:
    // Bytes of text that one call should be given, and of a long event that one call writes.
    static constexpr size_t kPart = 16 * 1024;

    PollAnswer() noexcept;

    // As soon as its events have `most` bytes the answer is full: what comes after that event is left out.
    // May be called again, with less.
    void limit(size_t most) noexcept { most_ = most; }

    // Before all else: events are missing before the first one. The same facts as in a gap event.
    bool addGap(Buffer& out, const GapFacts& facts) noexcept;

    // Adds events as the log has rendered them; the text may be cut anywhere. Not once the answer is full.
    bool addEvents(Buffer& out, std::string_view text) noexcept;

    // Whether an event is too long for one call. Then each call of writeOn() writes another part of it, until
    // the event is written; a call of another function before that writes all of the rest.
    bool isWriting() const noexcept { return !unwritten_.empty(); }
    bool writeOn(Buffer& out) noexcept;

    bool isFull() const noexcept { return full_; }

    struct Close {
        std::string_view cursor; // to come back with
        bool more;               // there is more that could be had at once
        bool ended;              // the channels have ended, and this is all of it
    };
    // After the last event. What has come of another one is left out.
    bool close(Buffer& out, const Close& close) noexcept;

    // What has been added, and the id of the last event as it was sent.
    bool hasGap() const noexcept { return gap_; }
    uint64_t events() const noexcept { return events_; }
    std::string_view lastId() const noexcept { return lastId_.view(); }

    // Frees its memory; it is of no further use then.
    void discard() noexcept;

private:
    bool open(Buffer& out) noexcept;
    bool addEvent(Buffer& out, const Event& event) noexcept;
    bool writeData(Buffer& out, std::string_view part, bool isLast) noexcept;
    bool finishWriting(Buffer& out) noexcept;

    size_t most_ = SIZE_MAX;
    size_t size_ = 0;     // bytes of events
    bool opened_ = false; // the list of events has begun
    bool gap_ = false;
    bool full_ = false;
    uint64_t events_ = 0;
    ShortText<kMaxWireId> lastId_;
    EventParser parser_;
    Buffer long_;                // the data of a long event
    std::string_view unwritten_; // the rest of it
};

} // namespace sse
