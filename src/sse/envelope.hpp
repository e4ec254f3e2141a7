// An event together with its channels, as the fields of a body give them: those of a form, or of a JSON
// object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/event.hpp"
#include "sse/publisher_id.hpp"
#include "sse/short_text.hpp"
#include "sse/validate.hpp"

namespace sse {

// The views are of the fields that it was made from.
struct Envelope {
    Event event{};
    std::string_view channels = {}; // channel_names.hpp; empty: the publisher's usual one
    bool ends = false;              // the channels end with the event
};

enum class EnvelopeStatus : uint8_t {
    Ok,
    Complete, // an envelope is there

    // Faults of a field.
    UnknownField,
    DuplicateField,
    TooLong, // the data is longer than the limit
    NoMemory,
    BadType,
    BadId,
    BadRetry,
    BadChannel,
    TooManyChannels,
    BadEnd,

    // Faults of the bytes.
    NoData,      // the envelope has no data
    NotEnvelope, // JSON, but no envelope
    BadJson,
    TooDeep,
    Incomplete, // the body ends within an envelope
};

inline bool isFaultOfField(EnvelopeStatus status) noexcept {
    return status >= EnvelopeStatus::UnknownField && status < EnvelopeStatus::NoData;
}

enum class EnvelopeField : uint8_t { Data, Type, Id, Retry, Channel, End, Unknown };

// A field of a body, and how many bytes of the body precede it.
struct FieldPlace {
    std::string_view name;
    uint64_t at;
};

// Collects the fields of an envelope, one after the other, and checks each:
//
//   begin(name) add(part)… end()  begin(name) …  complete()
//
// `data` is any text; the caller checks whether it is UTF-8. An empty `event`, `id` or `retry` counts as
// missing. An id that cannot be on the wire as it is gets escaped (publisher_id.hpp). `retry` is as in an
// event stream. `channel` has one name, or several if end() is called for each; a name that comes twice
// counts once. `end` is "true", "1" or empty, or else "false" or "0".
class EnvelopeFields {
public:
    struct Limits {
        size_t maxData;         // bytes
        size_t maxChannels;     // channels of one envelope, at most 255
        bool ignoreIds = false; // ids are dropped, whatever they are
        bool anyIds = false;    // ids are any bytes, not only UTF-8
    };

    explicit EnvelopeFields(const Limits& limits) noexcept : limits_(limits) {}

    // A field begins after `at` bytes of the body. `repeats`: "channel" may come again.
    EnvelopeStatus begin(std::string_view name, uint64_t at, bool repeats) noexcept;
    // A part of its value.
    EnvelopeStatus add(std::string_view part) noexcept;
    // The value is complete. Without this call a field other than `data` counts as not given.
    EnvelopeStatus end() noexcept;
    // There are no more fields. Complete, or NoData.
    EnvelopeStatus complete() const noexcept;

    EnvelopeField field() const noexcept { return field_; }
    // Where the current field begins, and where another one does, which has been given.
    FieldPlace place() const noexcept { return {name_.view(), at_}; }
    FieldPlace placeOf(EnvelopeField field) const noexcept;

    // What has been collected; valid until the next call of another function.
    Envelope envelope() const noexcept;
    // Begins another envelope.
    void clear() noexcept;

    // Bytes of memory allocated: for the data at most `maxData`, and for the channels; frees what is empty.
    size_t held() const noexcept { return data_.held() + channels_.held(); }
    void release() noexcept;
    // Frees all memory. The fields must not be used any more.
    void discard() noexcept;

private:
    EnvelopeStatus setType() noexcept;
    EnvelopeStatus setId() noexcept;
    EnvelopeStatus setRetry() noexcept;
    EnvelopeStatus addChannel() noexcept;
    EnvelopeStatus setEnd() noexcept;
    bool isGiven(EnvelopeField field) const noexcept {
        return (given_ >> static_cast<unsigned>(field) & 1) != 0;
    }

    static constexpr size_t kFields = static_cast<size_t>(EnvelopeField::Unknown);

    Limits limits_;

    // The current field.
    EnvelopeField field_ = EnvelopeField::Unknown;
    uint64_t at_ = 0;
    ShortText<32> name_;              // as much of it as there is room for
    ShortText<kMaxChannelName> text_; // its value, unless it is data

    // The envelope.
    uint32_t given_ = 0;            // a bit for each field
    uint64_t places_[kFields] = {}; // of those that have been given
    Buffer data_;
    ShortText<kMaxEventType> type_;
    PublisherId id_; // as on the wire
    uint32_t retry_ = 0;
    Buffer channels_; // channel_names.hpp
    bool ends_ = false;
};

} // namespace sse
