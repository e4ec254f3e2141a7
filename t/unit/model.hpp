// A plain model of a log, and the comparison of a replay with what the model says it has to give.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "test_log.hpp"

namespace sse {

struct ModelEvent {
    EventId id;
    std::string channel;
    std::string payload;
    uint64_t time;
    bool end = false; // of its channel
};

struct ModelListeners {
    std::set<uint32_t> workers;
    uint32_t entry = kNoEntry;
    uint32_t announced = 0;  // of the subscribers
    uint64_t linkedFrom = 0; // number of the first event from which on nothing may be forgotten

    // Those, but one at least if somebody listens who has an id alone.
    uint32_t subscribers() const {
        const bool any = !workers.empty() && *workers.begin() < kExclusiveListeners;
        return std::max<uint32_t>(announced, any ? 1 : 0);
    }
};

struct ModelBreak {
    EventId id;
    uint64_t number; // of the events before it
};

// What the log has been since it was made, or since another life began.
struct ModelLife {
    EventId birth = kBorn;
    uint64_t first = 0; // number of its first event
    std::optional<ModelBreak> newestBreak{};
};

struct Model {
    // Channels whose numbers are equal modulo `hashes` have the same hash.
    uint64_t hashes = UINT64_MAX;
    std::vector<ModelEvent> events; // all there ever were, by their number
    ModelLife life;
    std::set<uint64_t> dropped; // too large for a log that has taken over: lost, and what was before
    std::map<uint64_t, ModelListeners> listeners;

    static std::string name(uint64_t number) { return "channel-" + std::to_string(number); }
    uint64_t hash(std::string_view name) const {
        return std::strtoull(std::string(name.substr(8)).c_str(), nullptr, 10) % hashes * 0x9e3779b97f4a7c15;
    }
    uint64_t linkedFrom(std::string_view name) const {
        const auto found = listeners.find(hash(name));
        return found == listeners.end() ? UINT64_MAX : found->second.linkedFrom;
    }
};

// Whether a cursor is of another life than the log.
inline bool isUnknown(const TestLog& zone, EventId cursor) {
    return cursor > zone.log.lastId() ||
           (cursor.sequence != 0 && cursor.sequence % 65536 != zone.log.lineage());
}

// A cursor that somebody might come with: of an event, or beside one, or of another life.
inline EventId drawCursor(const TestLog& zone, const Model& model, Random& random) {
    if (random.chance(10) || model.events.empty()) {
        const EventId newestBreak = zone.log.newestBreak().id;
        const EventId special[] = {{0, 0},
                                   {1, 0},
                                   {kBirth, 0},
                                   zone.log.lastId(),
                                   model.life.birth,
                                   {UINT64_MAX, 3},
                                   {1, kOtherLineage},
                                   {UINT64_MAX, kLineage},
                                   newestBreak,
                                   {newestBreak.milliseconds, 0}};
        return special[random.below(std::size(special))];
    }
    // Mostly around what the ring still holds.
    const uint64_t evicted = zone.log.stats().evicted;
    const uint64_t oldest = random.chance(80) ? evicted - std::min<uint64_t>(evicted, 20) : 0;
    EventId id = model.events[oldest + random.below(model.events.size() - oldest)].id;
    switch (random.below(20)) {
    case 0:
        ++id.sequence; // of another life
        break;
    case 1:
        id.sequence = 0; // a moment
        break;
    case 2:
    case 3:
        id.sequence += 65536;
        break;
    default:
        break;
    }
    return id;
}

inline History drawHistory(const Model& model, Random& random) {
    History history;
    if (random.chance(25)) {
        history.count = random.below(12);
    }
    if (random.chance(25) && !model.events.empty()) {
        history.since = model.events[random.below(model.events.size())].time;
    }
    return history;
}

inline bool isKept(const TestLog& zone, const Model& model, uint64_t number) {
    return number >= zone.log.stats().evicted && model.dropped.count(number) == 0;
}

// The numbers of the events that a replay should give for a channel, newest first. The ends among them may
// come along or not.
inline std::vector<uint64_t> expected(const TestLog& zone, const Model& model, std::string_view name,
                                      EventId cursor, const History& history) {
    std::vector<uint64_t> numbers;
    uint64_t events = 0;
    const uint64_t evicted = zone.log.stats().evicted;
    for (uint64_t number = model.events.size(); number-- > evicted;) {
        const ModelEvent& event = model.events[number];
        if (event.channel != name) {
            continue;
        }
        if (event.id <= cursor || event.time < history.since || events == history.count ||
            model.dropped.count(number) != 0) {
            break;
        }
        if (!event.end) {
            numbers.push_back(number);
            ++events;
        }
    }
    return numbers;
}

struct Replayed {
    std::map<std::string, std::vector<uint64_t>> numbers; // oldest first
    Gap gap = Gap::None;
    std::optional<uint64_t> missed;
    EventId start;
    bool isBroken = false; // a break has been passed after that
};

// Runs a replay in slices, and checks the order, the limits and the bytes of what it gives.
inline Replayed run(TestLog& zone, const Model& model, const std::set<std::string>& names, EventId cursor,
                    const History& history, Random& random) {
    std::vector<ReplayChannel> channels;
    for (const std::string& name : names) {
        const uint64_t hash = model.hash(name);
        channels.push_back({.name = name, .hash = hash, .state = zone.log.findChannel(hash)});
    }
    Replay replay{zone.log, channels, cursor, zone.log.lastId(), history};
    ReplayEvent event;
    assert_true(replay.next(UINT64_MAX, event) == ReadStatus::End || names.empty());
    ReadStatus status;
    while ((status = replay.seek(1 + random.below(6))) == ReadStatus::End) {
    }
    assert_true(status == ReadStatus::Ok);
    assert_true(replay.horizon() == zone.log.head());

    Replayed result;
    result.gap = replay.gap();
    result.missed = replay.missed();
    result.start = replay.start();
    EventId last = isUnknown(zone, cursor) ? EventId{} : cursor;
    uint64_t records = 0;
    uint64_t limit = zone.log.tail() + random.below(zone.log.head() - zone.log.tail() + 1);
    for (;;) {
        status = replay.next(limit, event);
        if (status == ReadStatus::End && replay.passBreak(limit)) {
            assert_true(records != 0 && !result.isBroken && replay.gap() == Gap::Lost && !replay.missed());
            assert_true(model.life.newestBreak && replay.start() >= model.life.newestBreak->id);
            result.isBroken = true;
            last = replay.start();
            continue;
        }
        if (status == ReadStatus::End && limit < zone.log.head()) {
            limit += 1 + random.below(zone.log.head() - limit);
            continue;
        }
        if (status == ReadStatus::End) {
            break;
        }
        assert_true(status == ReadStatus::Ok);
        assert_true(event.offset < limit && event.header.id > last);
        ++records;
        last = event.header.id;
        assert_true(event.header.number < model.events.size());
        const ModelEvent& right = model.events[event.header.number];
        assert_true(right.id == event.header.id);
        assert_string_equal(nameOf(zone.log, event.offset, event.header).c_str(), right.channel.c_str());
        assert_string_equal(payloadOf(zone.log, event.offset, event.header).c_str(), right.payload.c_str());
        assert_true(names.count(right.channel) == 1);
        assert_true(right.end == (event.header.kind == RecordKind::End));
        if (!right.end) {
            result.numbers[right.channel].push_back(event.header.number);
        }
    }
    return result;
}

// Replays these channels and compares. `exact`: no hashes collide and the index has room for all, so that
// nothing may be missing and no gap may be told for nothing.
inline void checkReplay(TestLog& zone, const Model& model, const std::set<std::string>& names, EventId cursor,
                        const History& history, bool exact, Random& random) {
    const bool unknown = isUnknown(zone, cursor);
    const EventId from = unknown ? EventId{} : cursor;
    const Replayed given = run(zone, model, names, cursor, history, random);
    const std::optional<ModelBreak>& newestBreak = model.life.newestBreak;
    const bool isBehind = newestBreak && from < newestBreak->id; // the break
    const bool isBrokenAtOnce = isBehind && !given.isBroken;
    uint64_t missed = 0;
    bool allInRing = true; // that are missed
    assert_true(!given.isBroken || isBehind);
    assert_true(!isBrokenAtOnce || given.start >= newestBreak->id);

    for (const std::string& name : names) {
        const auto found = given.numbers.find(name);
        const std::vector<uint64_t> got =
            found == given.numbers.end() ? std::vector<uint64_t>() : found->second;
        const std::vector<uint64_t> right = expected(zone, model, name, from, history);
        assert_true(got.size() <= right.size());
        assert_true(std::equal(got.rbegin(), got.rend(), right.begin()));
        if (got.size() < right.size()) {
            assert_true(!exact && right[got.size()] < model.linkedFrom(name));
        }
        const uint64_t oldest = got.empty() ? model.events.size() : got.front();
        assert_true(got.empty() || !isBrokenAtOnce || oldest >= newestBreak->number);
        for (uint64_t number = model.life.first; number < oldest; ++number) {
            const ModelEvent& event = model.events[number];
            const bool isMissed = event.channel == name && event.id > from && !event.end;
            missed += isMissed ? 1 : 0;
            allInRing = allInRing && (!isMissed || isKept(zone, model, number));
        }
    }

    if (unknown || cursor == Replay::kBeginning) {
        assert_int_equal(static_cast<int>(given.gap), static_cast<int>(unknown ? Gap::Unknown : Gap::None));
    } else if (isBrokenAtOnce) {
        assert_int_equal(static_cast<int>(given.gap), static_cast<int>(Gap::Lost));
    } else if (missed != 0) {
        assert_int_equal(static_cast<int>(given.gap), static_cast<int>(Gap::Evicted));
    } else if (exact && !names.empty()) {
        const Gap gap = cursor < model.life.birth ? Gap::Evicted : Gap::None;
        assert_int_equal(static_cast<int>(given.gap), static_cast<int>(gap));
    }

    // How many are missed is known where they are still there, and never told wrong.
    if (given.missed) {
        assert_true(given.gap == Gap::Evicted && *given.missed == missed);
    } else if (exact && given.gap == Gap::Evicted && missed != 0 && cursor >= model.life.birth) {
        assert_false(allInRing);
    }

    // The start is a cursor for the same events, and with one channel for a reader that misses nothing.
    assert_true(given.start <= zone.log.lastId() && given.start >= from && given.start != Replay::kBeginning);
    assert_false(isUnknown(zone, given.start));
    assert_true(given.start.sequence != 0 || given.start == cursor);
    const Replayed again = run(zone, model, names, given.start, history, random);
    assert_true(again.numbers == given.numbers);
    const bool hasEnds = std::any_of(model.events.begin(), model.events.end(), [&names](const ModelEvent& e) {
        return e.end && names.count(e.channel) != 0;
    });
    // An end that was read and is not read again may have held the start back, or come before a break.
    assert_true(hasEnds ? again.start >= given.start : again.start == given.start);
    const bool isBrokenNow = hasEnds && given.isBroken && !again.isBroken;
    assert_true(again.isBroken == (given.isBroken && !isBrokenNow));
    if (exact && names.size() == 1 && !isBrokenNow) {
        assert_int_equal(static_cast<int>(again.gap), static_cast<int>(Gap::None));
    }
}

} // namespace sse
