#include "bus/sync.hpp"

#include <algorithm>
#include <iterator>

#include "bus/decimal.hpp"
#include "log/siphash.hpp"

namespace sse {

namespace {

// Whether the stream has what the log has, and perhaps more. The newest entry may have been trimmed.
bool isUpToDate(StreamId newest, const StreamFacts& stream) noexcept {
    return stream.entry == StreamFacts::Entry::Same ||
           (stream.entry == StreamFacts::Entry::Missing && stream.last == newest);
}

// Whether the stream no longer has anything up to that id, but has issued newer ones.
bool beginsAfter(const StreamFacts& stream, StreamId id) noexcept {
    return stream.first ? *stream.first > id : stream.last > id;
}

// Reads from the oldest entry on: what came before it is missing.
SyncPlan readWhatIsLeft(const StreamFacts& stream) noexcept {
    const StreamId gap = stream.first ? idBefore(*stream.first) : stream.last;
    return {.way = SyncPlan::Way::Read, .from = gap, .gap = gap};
}

// The stream is of our life.
SyncPlan planReturn(StreamId position, const StreamFacts& stream) noexcept {
    if (position == StreamId{}) {
        return {.way = SyncPlan::Way::Fill};
    }
    if (isUpToDate(position, stream)) {
        return {.way = SyncPlan::Way::Read, .from = position};
    }
    return beginsAfter(stream, position) ? readWhatIsLeft(stream)
                                         : SyncPlan{.way = SyncPlan::Way::WalkBack, .from = position};
}

// A log that continues as the first of many, or whose position has been forgotten. If programs have added
// newer entries, other machines do not have what this log has.
SyncPlan planFirst(StreamId last, const StreamFacts& stream) noexcept {
    if (isUpToDate(last, stream)) {
        return {.way = SyncPlan::Way::Read, .from = last};
    }
    if (stream.first && *stream.first <= last) {
        return {.way = SyncPlan::Way::WalkBack, .from = last};
    }
    if (beginsAfter(stream, last) && !stream.isWhole) {
        return readWhatIsLeft(stream);
    }
    return {.way = SyncPlan::Way::Read, .breaks = stream.first.has_value(), .from = last};
}

StreamId idOf(const Reply* entry) noexcept {
    const Reply* id = entry == nullptr ? nullptr : entry->at(0);
    return id == nullptr ? StreamId{} : parseStreamId(id->text).value_or(StreamId{});
}

} // namespace

// A stream that has everything that was ever added to it, but not what it has issued, has been deleted and
// begun again.
bool mayLackAfter(const StreamFacts& stream, StreamId id) noexcept {
    return beginsAfter(stream, id) && (id != StreamId{} || !stream.isWhole);
}

SyncPlan planSync(const LogFacts& log, const StreamFacts& stream) noexcept {
    const bool isOurs = stream.lineage == log.lineage;
    if (log.isBound && isOurs) {
        return planReturn(log.position, stream);
    }
    if (!log.isBound && isOurs && !log.isEmpty) {
        return planFirst(log.last, stream);
    }
    return {.way = SyncPlan::Way::Fill, .beginsLife = !isOurs, .loses = !log.isEmpty};
}

bool refusesWrites(const Reply& reply) noexcept {
    return reply.isError("OOM") || reply.isError("MISCONF") || reply.isError("NOREPLICAS") ||
           reply.isError("NOPERM");
}

bool isOfServer(const Reply& error) noexcept {
    constexpr std::string_view kCodes[] = {"READONLY", "LOADING",   "MASTERDOWN", "NOAUTH",
                                           "MOVED",    "UNBLOCKED", "CLUSTERDOWN"};
    return std::any_of(std::begin(kCodes), std::end(kCodes),
                       [&error](std::string_view code) noexcept { return error.isError(code); });
}

bool saysNoStream(const Reply& reply) noexcept {
    return reply.isError("ERR") && reply.text.ends_with("no such key");
}

bool readStreamInfo(const Reply& reply, StreamFacts& facts) noexcept {
    if (!reply.is(Reply::Type::Array)) {
        return false;
    }
    int64_t length = -1;
    for (const Reply* name = reply.first; name != nullptr && name->next != nullptr;) {
        const Reply* value = name->next;
        if (name->text == "length") {
            length = value->integer;
        } else if (name->text == "entries-added") {
            facts.added = static_cast<uint64_t>(value->integer);
        } else if (name->text == "last-generated-id") {
            facts.last = parseStreamId(value->text).value_or(StreamId{});
        } else if (name->text == "first-entry" && value->is(Reply::Type::Array)) {
            facts.first = idOf(value);
        } else if (name->text == "last-entry" && value->is(Reply::Type::Array)) {
            facts.newest = idOf(value);
        }
        name = value->next;
    }
    facts.isWhole = facts.added && *facts.added == static_cast<uint64_t>(length);
    return length >= 0;
}

// Seconds and microseconds.
std::optional<uint64_t> readTime(const Reply& reply) noexcept {
    const Reply* seconds = reply.at(0);
    const Reply* micros = reply.at(1);
    if (micros == nullptr) {
        return std::nullopt;
    }
    const std::optional<uint64_t> whole = parseDecimal(seconds->text);
    const std::optional<uint64_t> rest = parseDecimal(micros->text);
    return whole && rest ? std::optional(*whole * 1000 + *rest / 1000) : std::nullopt;
}

uint64_t fingerprintOf(const Reply& entry) noexcept {
    SipKey key{};
    const Reply* fields = entry.at(1);
    for (const Reply* text = fields == nullptr ? nullptr : fields->first; text != nullptr;
         text = text->next) {
        key[0] = sipHash(key, text->text);
        ++key[1];
    }
    return key[0];
}

std::optional<uint64_t> parseLineage(std::string_view text) noexcept {
    const std::optional<uint64_t> lineage = parseDecimal(text);
    return lineage && *lineage > 0 && *lineage < kLineages ? lineage : std::nullopt;
}

} // namespace sse
