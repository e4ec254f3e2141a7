// Rendered events on their way into a log, in one run of bytes:
//
//   | lengths | publisher id | fields | lengths | publisher id | fields | …
//
// Any source of events (a body, presence, another stream) makes them and passes them to appendEvents().
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/encode.hpp"

namespace sse {

// One of them; a view of its bytes.
struct StagedEvent {
    std::string_view publisherId; // may be empty
    std::string_view fields;      // everything after the id line, with the closing blank line
    bool isLast;                  // of those that are staged
};

class StagedEvents {
public:
    // Renders an event, whose values have been validated, after the others; false without memory. `size` is
    // encodedSize(event).
    bool add(const Event& event, size_t size) noexcept {
        const Lengths lengths{static_cast<uint32_t>(event.publisherId.size()), static_cast<uint32_t>(size)};
        char* place = bytes_.extend(sizeof(lengths) + event.publisherId.size() + size);
        if (place == nullptr) {
            return false;
        }
        std::memcpy(place, &lengths, sizeof(lengths));
        place += sizeof(lengths);
        if (!event.publisherId.empty()) {
            std::memcpy(place, event.publisherId.data(), event.publisherId.size());
        }
        encodeFields(event, place + event.publisherId.size());
        return true;
    }

    // Calls visit(const StagedEvent&) for each in order, until it returns false.
    template <typename Visit>
    void each(Visit&& visit) const noexcept {
        const char* at = bytes_.view().data();
        const char* const end = at + bytes_.size();
        while (at != end) {
            Lengths lengths;
            std::memcpy(&lengths, at, sizeof(lengths));
            at += sizeof(lengths);
            const char* const next = at + lengths.publisherId + lengths.fields;
            const StagedEvent event{
                {at, lengths.publisherId}, {at + lengths.publisherId, lengths.fields}, next == end};
            at = next;
            if (!visit(event)) {
                return;
            }
        }
    }

    // Bytes that they take.
    size_t size() const noexcept { return bytes_.size(); }
    bool empty() const noexcept { return bytes_.empty(); }

    void clear() noexcept { bytes_.clear(); }
    // Frees the memory as well.
    void reset() noexcept { bytes_.reset(); }
    // Bytes of memory allocated.
    size_t held() const noexcept { return bytes_.held(); }

private:
    struct Lengths {
        uint32_t publisherId;
        uint32_t fields;
    };

    Buffer bytes_;
};

} // namespace sse
