// Finding events by the ids that their publishers gave them.
#include <algorithm>
#include <cstring>

#include "log/fault.hpp"
#include "log/id_table.hpp"
#include "log/ring.hpp"
#include "log/writer.hpp"
#include "sse/encode.hpp"

namespace sse {

namespace {

// Where the publisher's id begins in the id line of a record: "id: <id>~<publisher's id>\n".
size_t startOfPublisherId(EventId id) noexcept {
    char text[kMaxEventIdText];
    return IdLine::kField.size() + formatEventId(id, text) + 1;
}

} // namespace

bool Log::isCalled(uint64_t offset, const RecordHeader& header, std::string_view publisherId) const noexcept {
    const size_t start = startOfPublisherId(header.id);
    if ((header.flags & kHasPublisherId) == 0 || header.idLineLength != start + publisherId.size() + 1) {
        return false;
    }
    size_t position = header.nameLength + start;
    while (!publisherId.empty()) {
        char piece[256];
        const size_t length = std::min(publisherId.size(), sizeof(piece));
        if (!readPayload(offset, position, length, piece) ||
            std::memcmp(piece, publisherId.data(), length) != 0) {
            return false;
        }
        publisherId.remove_prefix(length);
        position += length;
    }
    return true;
}

// The publisher id of the record at that offset; empty if it has none.
PublisherId Log::publisherIdAt(uint64_t offset) const noexcept {
    RecordHeader record;
    if (readHeader(offset, record) != ReadStatus::Ok || (record.flags & kHasPublisherId) == 0) {
        return {};
    }
    char text[kMaxPublisherId];
    const size_t start = startOfPublisherId(record.id);
    const size_t end = std::max<size_t>(record.idLineLength, start + 1) - 1;
    const size_t length = std::min(end - start, sizeof(text));
    return readPayload(offset, record.nameLength + start, length, text) ? PublisherId({text, length})
                                                                        : PublisherId();
}

// The id of the record at that offset, if it is that channel's and its publisher gave it that id.
std::optional<EventId> Log::lookAt(uint64_t offset, std::string_view channel,
                                   std::string_view publisherId) const noexcept {
    RecordHeader record;
    const bool isRight = readHeader(offset, record) == ReadStatus::Ok && isNamed(offset, record, channel) &&
                         isCalled(offset, record, publisherId);
    return isRight ? std::optional(record.id) : std::nullopt;
}

std::optional<EventId> Log::findPublisherId(std::string_view channel, uint64_t hash,
                                            std::string_view publisherId) const noexcept {
    std::optional<EventId> newest;
    IdTable(header_, IdTable::keyOf(header_->key, hash, publisherId)).each([&](uint64_t offset) noexcept {
        newest = std::max(newest, lookAt(offset, channel, publisherId));
    });
    return newest;
}

void LogWriter::addPublisherId(uint64_t offset, const RecordHeader& record) const noexcept {
    const char* const text = ring().at(offset) + sizeof(RecordHeader);
    const std::string_view channel{text, record.nameLength};
    const std::string_view idLine{text + record.nameLength, record.idLineLength};
    const size_t start = idLine.find('~') + 1;
    if (start == 0 || start == idLine.size()) {
        return; // spoilt
    }
    const std::string_view publisherId{idLine.data() + start, idLine.size() - start - 1};
    IdTable(header_, IdTable::keyOf(header_->key, record.hash, publisherId))
        .enter(offset,
               [&](uint64_t other) noexcept { return lookAt(other, channel, publisherId).has_value(); });
    faultPoint("addPublisherId: done");
}

} // namespace sse
