// A stamp says which request published an event, by which a repeated request is recognised. It is in the
// record after the payload, and subscribers do not get it.
//
//     +-----+------------------------------------------+
//     | 'k' | key                                      |  what the publisher calls the request
//     +-----+------------------------------------------+
//     | 'p' | epoch, 8 bytes | sequence, 8 bytes | name |  the request of a producer with that number
//     +-----+------------------------------------------+
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sse/short_text.hpp"

namespace sse {

// The longest key, or name of a producer, in bytes.
inline constexpr size_t kMaxStampName = 200;

// Where a producer stands. It counts its requests from 0, and begins a new epoch when it has lost count.
struct ProducerPosition {
    uint64_t epoch = 0;
    uint64_t sequence = 0;

    auto operator<=>(const ProducerPosition&) const = default;
};

class Stamp {
public:
    static constexpr size_t kPlaceOfName = 1 + sizeof(ProducerPosition); // in that of a producer
    static constexpr size_t kMaxSize = kPlaceOfName + kMaxStampName;

    // No stamp.
    Stamp() = default;

    // Of a key, and of a producer's request. Both texts have 1 to kMaxStampName bytes.
    static Stamp ofKey(std::string_view key) noexcept {
        Stamp stamp;
        stamp.bytes_.append("k");
        stamp.bytes_.append(key);
        return stamp;
    }
    static Stamp ofProducer(std::string_view name, const ProducerPosition& position) noexcept {
        char bytes[sizeof(position)];
        std::memcpy(bytes, &position, sizeof(position));
        Stamp stamp;
        stamp.bytes_.append("p");
        stamp.bytes_.append({bytes, sizeof(bytes)});
        stamp.bytes_.append(name);
        return stamp;
    }
    // As it is in a record. Damaged memory may contain anything there.
    explicit Stamp(std::string_view bytes) noexcept : bytes_(bytes) {}

    std::string_view bytes() const noexcept { return bytes_.view(); }
    bool empty() const noexcept { return bytes_.empty(); }

    // That of a producer has a name and a position.
    bool isProducers() const noexcept { return bytes().size() > kPlaceOfName && bytes().front() == 'p'; }
    std::string_view key() const noexcept { return {bytes().data() + 1, bytes().size() - 1}; } // of that kind
    std::string_view producer() const noexcept {
        return {bytes().data() + kPlaceOfName, bytes().size() - kPlaceOfName};
    }
    ProducerPosition position() const noexcept {
        ProducerPosition position;
        std::memcpy(&position, bytes().data() + 1, sizeof(position));
        return position;
    }

private:
    ShortText<kMaxSize> bytes_;
};

} // namespace sse
