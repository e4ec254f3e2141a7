#include "publish/preconditions.hpp"

#include <algorithm>

namespace sse {

namespace {

// The tag of an event is its id, with or without the publisher's id after it.
bool names(std::string_view tag, EventId id) noexcept {
    return parseEventId({tag.data(), std::min(tag.find('~'), tag.size())}) == id;
}

// Whether one of the tags stands for the newest event, which may be none.
bool match(const EntityTags& tags, std::optional<EventId> newest) noexcept {
    return newest && (tags.isAny() ||
                      tags.contains([newest](std::string_view tag) noexcept { return names(tag, *newest); }));
}

// A producer that the log knows nothing of may begin with any number: the log has forgotten it, or is new.
Verdict checkSequence(const ProducerPosition& request, const std::optional<ProducerPosition>& last) noexcept {
    if (!last || request.epoch > last->epoch) {
        const bool begins = !last || request.sequence == 0;
        return {.kind = begins ? Verdict::Kind::Holds : Verdict::Kind::OutOfSequence};
    }
    if (request.epoch < last->epoch) {
        return {.kind = Verdict::Kind::StaleEpoch, .number = last->epoch};
    }
    if (request.sequence <= last->sequence) {
        return {.kind = Verdict::Kind::Repeated};
    }
    const bool isNext = request.sequence - last->sequence == 1;
    return {.kind = isNext ? Verdict::Kind::Holds : Verdict::Kind::OutOfSequence,
            .number = last->sequence + 1};
}

Verdict checkStamp(const LogWriter& log, std::string_view channel, uint64_t hash,
                   const Stamp& stamp) noexcept {
    if (const std::optional<NamedEvent> event = log.findStamp(channel, hash, stamp)) {
        return {.kind = Verdict::Kind::Repeated,
                .id = event->id,
                .publisherId = event->publisherId,
                .ended = event->ends};
    }
    return stamp.isProducers()
               ? checkSequence(stamp.position(), log.findProducer(channel, hash, stamp.producer()))
               : Verdict{};
}

} // namespace

Verdict checkPreconditions(LogWriter& log, std::string_view channel, uint64_t hash,
                           const Preconditions& preconditions) noexcept {
    if (!preconditions.stamp.empty()) {
        log.recover(); // a writer that has died may have left an event without its stamp
        const Verdict verdict = checkStamp(log, channel, hash, preconditions.stamp);
        if (verdict.kind != Verdict::Kind::Holds) {
            return verdict;
        }
    }
    if (preconditions.ifMatch || preconditions.ifNoneMatch) {
        const ChannelState state = log.findChannel(hash);
        const auto newest = log.hasEvent(state) ? std::optional(state.newestId) : std::nullopt;
        if ((preconditions.ifMatch && !match(*preconditions.ifMatch, newest)) ||
            (preconditions.ifNoneMatch && match(*preconditions.ifNoneMatch, newest))) {
            return {.kind = Verdict::Kind::Unmatched, .id = newest.value_or(EventId{})};
        }
    }
    return {};
}

} // namespace sse
