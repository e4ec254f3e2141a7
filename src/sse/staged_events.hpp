// Rendered events on their way into a log, in one run of bytes:
//
//   | lengths | channels | publisher id | fields | lengths | channels | publisher id | fields | …
//
// Any source of events (a body, presence, another stream) makes them and passes them to appendEvents().
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/bytes.hpp"
#include "sse/channel_names.hpp"
#include "sse/encode.hpp"
#include "sse/envelope.hpp"

namespace sse {

// One of them; a view of its bytes.
struct StagedEvent {
    std::string_view channels;    // channel_names.hpp; empty: the publisher's usual one
    bool ends;                    // the channels end with it
    std::string_view publisherId; // may be empty
    std::string_view fields;      // everything after the id line, with the closing blank line
    bool isLast;                  // of those that are staged
};

class StagedEvents {
public:
    // Renders an event, whose values have been validated, after the others; false without memory. `size` is
    // encodedSize(envelope.event).
    bool add(const Envelope& envelope, size_t size) noexcept {
        const std::string_view id = envelope.event.publisherId;
        const Lengths lengths{.fields = static_cast<uint32_t>(size),
                              .channels = static_cast<uint16_t>(envelope.channels.size()),
                              .publisherId = static_cast<uint8_t>(id.size()),
                              .ends = envelope.ends};
        const size_t length = sizeof(lengths) + envelope.channels.size() + id.size() + size;
        char* place = bytes_.extend(length);
        if (place == nullptr) {
            return false;
        }
        std::memcpy(place, &lengths, sizeof(lengths));
        place = put(put(place + sizeof(lengths), envelope.channels), id);
        encodeFields(envelope.event, place);
        const size_t channels = countNames(envelope.channels);
        size_ += length + (channels > 1 ? (channels - 1) * (sizeof(lengths) + size) : 0);
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
            const char* const id = at + lengths.channels;
            const char* const fields = id + lengths.publisherId;
            const char* const next = fields + lengths.fields;
            const StagedEvent event{.channels = {at, lengths.channels},
                                    .ends = lengths.ends,
                                    .publisherId = {id, lengths.publisherId},
                                    .fields = {fields, lengths.fields},
                                    .isLast = next == end};
            at = next;
            if (!visit(event)) {
                return;
            }
        }
    }

    // Bytes that they take, as if an event for several channels were staged for each.
    size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return bytes_.empty(); }

    void clear() noexcept {
        bytes_.clear();
        size_ = 0;
    }
    // Frees the memory as well.
    void reset() noexcept {
        bytes_.reset();
        size_ = 0;
    }
    // Bytes of memory allocated.
    size_t held() const noexcept { return bytes_.held(); }

private:
    struct Lengths {
        uint32_t fields;
        uint16_t channels;
        uint8_t publisherId;
        bool ends;
    };
    static_assert(kMaxPublisherId <= UINT8_MAX);

    Buffer bytes_;
    size_t size_ = 0;
};

} // namespace sse
