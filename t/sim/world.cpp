#include "world.hpp"

#include "master.hpp"
#include "reader.hpp"
#include "trace.hpp"
#include "worker.hpp"

namespace sse::sim {

namespace {

constexpr uint64_t kMostSlices = 6000;

// One of them, at random.
template <size_t N>
uint64_t draw(Random& random, const uint64_t (&numbers)[N]) {
    return numbers[random.below(N)];
}

} // namespace

World::World(uint64_t seed)
    : random(seed), channels(1 + static_cast<uint32_t>(random.below(9))),
      groups(random.chance(20) ? 1 + static_cast<uint32_t>(random.below(channels)) : channels),
      longest(draw(random, {300, 3000, 3000, 9000, 20'000})), goal(60 + random.below(80)), slots(kSlots) {
    for (uint32_t channel = 0; channel < channels; ++channel) {
        names.push_back("channel-" + std::to_string(channel));
    }
    use(makeZone(beginLife()));
    const uint64_t grain = draw(random, {6, 60, 400});
    scheduler.reset(random(), grain, random.chance(20) ? 0 : static_cast<uint32_t>(random.below(20)));
    scheduler.onSwitch = [this] { onSwitch(); };
    for (size_t place = 3 + random.below(3); place-- > 0;) {
        put(place);
    }
}

World::~World() {
    scheduler.clear();
    scheduler.onSwitch = nullptr;
}

// The first is the master.
void World::put(size_t place) {
    if (place == 0) {
        scheduler.put(place, std::make_unique<Master>(*this));
        return;
    }
    const auto slot = static_cast<uint32_t>(std::find(slots.begin(), slots.end(), false) - slots.begin());
    assert_true(slot < kSlots);
    slots[slot] = true;
    scheduler.put(place, std::make_unique<Worker>(*this, slot));
}

// Its clients come back.
void World::bury(size_t place) {
    if (place != 0) {
        const auto& worker = static_cast<const Worker&>(scheduler.at(place));
        for (const EventId cursor : worker.cursors()) {
            cursors.push_back(cursor);
        }
        deadSlots.push_back(worker.slot());
        if (worker.cleaning()) {
            deadSlots.push_back(*worker.cleaning());
        }
    }
}

void World::run() {
    while (published < goal && scheduler.slices() < kMostSlices) {
        const int dead = scheduler.runSlice();
        if (dead >= 0) {
            bury(static_cast<size_t>(dead));
            put(static_cast<size_t>(dead));
        }
    }
    trace.note("the end: all die");
    figures.events += published;
    figures.deaths += scheduler.deaths();
    checkAtLast();
}

void World::onSwitch() {
    for (const auto& used : zones_) {
        if (const auto still = used.lock()) {
            still->observe();
        }
    }
    tick();
}

void World::tick() {
    if (random.chance(80)) {
        now += random.below(4) / 3;
    } else if (random.chance(10)) {
        now += random.below(1000);
        now -= random.chance(50) ? std::min<uint64_t>(random.below(2000), now - kBirth / 2) : 0;
    }
}

std::shared_ptr<Life> World::beginLife() {
    const uint64_t lineage = kLineage + lives_++;
    return std::make_shared<Life>(Life{.lineage = lineage, .birth = {now, lineage}});
}

std::shared_ptr<Zone> World::makeZone(std::shared_ptr<Life> life) {
    const uint32_t entries = random.chance(65) ? channels + static_cast<uint32_t>(random.below(5))
                                               : 1 + static_cast<uint32_t>(random.below(8));
    const size_t capacity = Log::kMinCapacity + (random.chance(50) ? 0 : random.below(Log::kMinCapacity));
    const EventId birth = life->events.empty() ? life->birth : EventId{now, 1};
    return std::make_shared<Zone>(*this, std::move(life), Shape{entries, capacity, birth});
}

void World::use(std::shared_ptr<Zone> next) {
    std::erase_if(zones_, [](const auto& used) { return used.expired(); });
    zones_.push_back(next);
    zone = std::move(next);
}

// The cursor of an earlier client; that of any event, mostly around the oldest that is left; or another one.
EventId World::drawCursor() {
    const Life& life = *zone->life;
    if (!cursors.empty() && random.chance(40)) {
        return cursors[random.below(cursors.size())];
    }
    if (life.events.empty() || random.chance(15)) {
        const EventId birth = life.birth;
        const EventId cut = life.breaks.empty() ? birth : life.breaks[random.below(life.breaks.size())].id;
        const EventId special[] = {Replay::kBeginning,
                                   Replay::kBeginning,
                                   birth,
                                   cut,
                                   {cut.milliseconds, 0},
                                   life.lastId(),
                                   {now, 0},
                                   {birth.milliseconds, 0},
                                   {birth.milliseconds, birth.sequence + 1},
                                   {UINT64_MAX, birth.sequence}};
        return special[random.below(std::size(special))];
    }
    const uint64_t count = life.events.size();
    const uint64_t evicted = std::min<uint64_t>(zone->evicted() - life.first, count - 1);
    const uint64_t first = random.chance(70) ? evicted - std::min<uint64_t>(evicted, 6) : 0;
    const uint64_t range = random.chance(50) ? std::min<uint64_t>(count - first, 12) : count - first;
    return life.events[first + random.below(range)].id;
}

// --- After the last slice ---

// Whatever the last processes have left half done, new ones find everything in order.
void World::checkAtLast() {
    scheduler.clear();
    zone->log().recover();
    zone->check();
    checkCounts();
    readAll(Replay::kBeginning);
    for (const EventId cursor : cursors) {
        readAll(cursor);
    }
    for (uint32_t channel = 0; channel < channels; ++channel) {
        Event event{.id = zone->life->nextId(now), .channel = channel, .time = now};
        event.payload = "id: " + idText(event.id) + "\n" + fields("last");
        zone->announce({event});
        zone->settle(append(zone->log(), name(channel), hash(channel), "last", now));
    }
    zone->check();
}

// Nobody listens any more; then somebody does.
void World::checkCounts() {
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
        zone->log().forgetListeners(setOf(listenerIdOf(slot)), 0, UINT32_MAX);
    }
    zone->log().beginCensus();
    zone->listeners = Listeners(groups);
    zone->check();
    for (uint32_t group = 0; group < std::min(groups, zone->header().channels); ++group) {
        const Listeners::Group before = zone->listeners.begin(group, group);
        const ChannelState state = zone->log().listen(hash(group), listenerIdOf(group));
        assert_true(state.entry != kNoEntry);
        zone->listeners.end(group, group, Listeners::Mark::Yes, before);
        zone->log().addSubscribers(state.entry, 2);
        zone->listeners[group].subscribers = 2;
    }
    zone->check();
}

void World::readAll(EventId cursor) {
    for (uint32_t channel = 0; channel < channels; ++channel) {
        Reader::Subscription all;
        all.channels = {channel, (channel + 1) % channels};
        all.channels.resize(std::min(channels, 2U));
        all.cursor = cursor;
        Reader reader(*this, zone, all);
        while (!reader.isDone()) {
            reader.step();
        }
    }
}

} // namespace sse::sim
