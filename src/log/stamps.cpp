// Finds out from the stamps of the log's records whether a request has been published before.
#include <algorithm>

#include "log/fault.hpp"
#include "log/id_table.hpp"
#include "log/ring.hpp"
#include "log/writer.hpp"

namespace sse {

namespace {

// A name in the table of ids. No publisher's id begins like that.
using StampName = ShortText<Stamp::kMaxSize + 1>;

StampName nameOf(const Stamp& stamp) noexcept {
    StampName name("\x01");
    name.append(stamp.bytes());
    return name;
}

// Of all that a producer has sent.
StampName nameOfProducer(std::string_view producer) noexcept {
    StampName name("\x02");
    name.append(producer);
    return name;
}

} // namespace

// The stamp of the record at that offset, which may be none, if it is that channel's.
std::optional<StampedEvent> Log::stampAt(uint64_t offset, std::string_view channel) const noexcept {
    RecordHeader record;
    char bytes[UINT8_MAX];
    if (readHeader(offset, record) != ReadStatus::Ok || !isNamed(offset, record, channel)) {
        return std::nullopt;
    }
    if (!readPayload(offset, size_t{record.nameLength} + record.payloadLength, record.stampLength, bytes)) {
        return std::nullopt;
    }
    return StampedEvent{record.id, Stamp({bytes, record.stampLength}), endsChannel(record)};
}

std::optional<NamedEvent> Log::findStamp(std::string_view channel, uint64_t hash,
                                         const Stamp& stamp) const noexcept {
    std::optional<NamedEvent> found;
    IdTable(header_, IdTable::keyOf(header_->key, hash, nameOf(stamp).view()))
        .each([&](uint64_t offset) noexcept {
            const std::optional<StampedEvent> event = stampAt(offset, channel);
            if (event && event->stamp.bytes() == stamp.bytes() && (!found || found->id < event->id)) {
                found = {event->id, publisherIdAt(offset), event->ends};
            }
        });
    return found;
}

std::optional<ProducerPosition> Log::findProducer(std::string_view channel, uint64_t hash,
                                                  std::string_view producer) const noexcept {
    std::optional<StampedEvent> newest;
    IdTable(header_, IdTable::keyOf(header_->key, hash, nameOfProducer(producer).view()))
        .each([&](uint64_t offset) noexcept {
            const std::optional<StampedEvent> event = stampAt(offset, channel);
            if (event && event->stamp.isProducers() && event->stamp.producer() == producer &&
                (!newest || newest->id < event->id)) {
                newest = event;
            }
        });
    return newest ? std::optional(newest->stamp.position()) : std::nullopt;
}

void LogWriter::addStamp(uint64_t offset, const RecordHeader& record) const noexcept {
    const std::string_view channel{ring().at(offset) + sizeof(RecordHeader), record.nameLength};
    const std::optional<StampedEvent> event = stampAt(offset, channel);
    if (!event) {
        return; // spoilt
    }
    const Stamp& stamp = event->stamp;
    IdTable(header_, IdTable::keyOf(header_->key, record.hash, nameOf(stamp).view()))
        .enter(offset, [&](uint64_t other) noexcept {
            const std::optional<StampedEvent> found = stampAt(other, channel);
            return found && found->stamp.bytes() == stamp.bytes();
        });
    faultPoint("addStamp: request");
    if (stamp.isProducers()) {
        IdTable(header_, IdTable::keyOf(header_->key, record.hash, nameOfProducer(stamp.producer()).view()))
            .enter(offset, [&](uint64_t other) noexcept {
                const std::optional<StampedEvent> found = stampAt(other, channel);
                return found && found->stamp.isProducers() && found->stamp.producer() == stamp.producer();
            });
        faultPoint("addStamp: producer");
    }
}

} // namespace sse
