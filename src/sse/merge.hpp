// Merging: consecutive events, as they have been rendered, become one with the data of all, so that a client
// that is behind has fewer bytes to receive.
//
//     id: 7-1\ndata: Hel\n\nid: 7-2\ndata: lo\n\n   ->   data: Hello\nid: 7-2\n\n
//
// The id is that of the newest event, and comes last: a client that remembers an id as soon as it has read
// the line then has all the data, even if the stream breaks off before the blank line.
#pragma once

#include <cstddef>
#include <string_view>

namespace sse {

// How the data of merged events is joined.
enum class MergeMode {
    Off,
    Data,  // as it stands: "Hel" and "lo" are "Hello"
    Lines, // with a line feed between them
};

// An event that stands at the end of a text, rendered by IdLine and encodeFields(), and what its bytes do not
// say.
struct MergeableEvent {
    size_t size; // of all its bytes
    size_t idLineLength;
    const void* channel; // only tells channels apart
    bool hasPublisherId;
    bool endsChannel;
};

// Merges the events of a text while they are added to it. Events are merged if they are of one channel and
// type. One with a retry or at the end of its channel stays as it is; one without a publisher id is not
// merged into one that has one, so that a client which knows no other ids comes back to the right place.
class Merger {
public:
    explicit Merger(MergeMode mode) noexcept : mode_(mode) {}

    // An event has been added to the text, which has `size` bytes with it. Merges it into the one before it
    // if it can. Returns by how many bytes the text has become shorter.
    size_t add(char* text, size_t size, const MergeableEvent& event) noexcept;

    // The next event is not merged into what is there.
    void separate() noexcept { isOpen_ = false; }

    // Bytes by which the text has become shorter in all.
    size_t saved() const noexcept { return saved_; }

private:
    // The parts of a rendered event in the text, but for the blank line; without an id line it is none that
    // can be merged.
    struct Parts {
        std::string_view idLine;
        std::string_view typeLine; // may be empty
        std::string_view dataLines;
    };
    static Parts takeApart(const char* bytes, const MergeableEvent& event) noexcept;

    bool joins(const char* text, const Parts& parts, const MergeableEvent& event) const noexcept;
    void open(const char* text, const Parts& parts) noexcept;
    size_t join(char* text, const Parts& parts) noexcept;

    MergeMode mode_;
    size_t saved_ = 0;

    // The last event of the text, as long as the next one may be merged into it.
    bool isOpen_ = false;
    bool hasPublisherId_ = false;
    const void* channel_ = nullptr;
    size_t begin_ = 0;     // where it begins in the text
    size_t idLine_ = 0;    // bytes of the id line there; 0: it comes last
    size_t typeLine_ = 0;  // bytes of the type line, which follows
    size_t endOfData_ = 0; // where its data lines end
};

} // namespace sse
