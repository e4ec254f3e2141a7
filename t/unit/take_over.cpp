// Taking over from a log of another size: events, ids, counts and gaps continue, and the old log is retired.
// build: -DSSE_FAULTS
#include <functional>
#include <mutex>
#include <thread>

#include "check.hpp"
#include "cmocka.hpp"
#include "model.hpp"
#include "mortal.hpp"

using namespace sse;

namespace {

constexpr uint64_t kSeeds = 60;

struct Setting {
    uint64_t channels = 12;
    uint32_t entries = 16;
    size_t capacity = Log::kMinCapacity;
    uint64_t longest = 900;   // bytes of data
    uint64_t longestRare = 0; // of one event in twenty
    uint64_t hashes = UINT64_MAX;
    uint64_t breaks = 0; // in a thousand events
};

class Life {
public:
    Life(uint64_t seed, const Setting& setting)
        : setting_(setting), random_(seed), now_(kBirth), old_(setting.entries, setting.capacity) {
        model_.hashes = setting.hashes;
    }

    // As many events as go round the ring a few times, or that leave it half empty. Some channels fall
    // silent.
    void fill(uint64_t percent) {
        const uint64_t bytes = setting_.capacity * percent / 100;
        while (old_.log.head() < bytes) {
            publish(old_, old_.log.head() < bytes / 2 ? setting_.channels : setting_.channels * 2 / 3);
            if (random_.below(1000) < setting_.breaks) {
                breakOff();
            }
            if (random_.chance(2)) {
                old_.log.listen(model_.hash(drawName()), random_.below(kMaxListeners));
            }
            if (random_.chance(2)) {
                old_.log.unlisten(random_.below(setting_.entries), random_.below(kMaxListeners));
            }
        }
        checkZone(old_);
    }

    // Moves into another log, which is in order afterwards; the ids and the count go on.
    void moveTo(TestLog& zone) {
        for (const LoggedEvent& event : walk(old_.log)) {
            recorded_.insert(model_.events[event.header.number].channel);
            const uint64_t length =
                sizeof(RecordHeader) + event.header.nameLength + event.header.payloadLength;
            if ((length + 7) / 8 * 8 > zone.log.maxRecord()) {
                model_.dropped.insert(event.header.number);
            }
        }
        takeOver(zone.log, old_.log);
        checkZone(zone, anyDropped());
        assert_true(zone.log.lastId() == old_.log.lastId());
        assert_int_equal(zone.log.stats().published, model_.events.size());
        checkRetired();
    }

    // The same while `others` runs before each record that is copied, and may publish to the old log.
    void moveUnder(TestLog& zone, const std::function<void()>& others) {
        beforeEachRecord = others;
        takeOver(zone.log, old_.log);
        beforeEachRecord = nullptr;
        settle(zone);
    }

    // The old log breaks off, with an id of its own or the last, or another life begins in it.
    void breakOff() {
        const EventId last = old_.log.lastId();
        const EventId id = random_.chance(50) ? last : later(last, 1);
        if (old_.header().retired == 0) {
            assert_true(old_.log.appendBreak(id) == AppendStatus::Ok);
            model_.life.newestBreak = {id, model_.events.size()};
        }
    }
    void beginLife() {
        if (old_.header().retired == 0) {
            const uint64_t lineage = old_.log.lineage() + 2;
            assert_true(old_.log.beginLife(lineage));
            model_.life = {.birth = {0, lineage}, .first = model_.events.size()};
        }
    }

    void publishToOld() {
        if (old_.header().retired == 0) {
            publish(old_, setting_.channels);
        }
    }

    // Dies at that step of it; returns how many steps there were.
    uint64_t dieMoving(TestLog& zone, uint64_t step) {
        const bool died = !performUntil(zone.log, {.kind = Kind::TakeOver, .old = &old_.log}, step);
        if (died) {
            checkZone(old_);
        }
        return stepsDone;
    }

    // What has become of a log after another one has taken over from it.
    void settle(TestLog& zone) {
        for (const LoggedEvent& event : walk(old_.log)) {
            recorded_.insert(model_.events[event.header.number].channel);
        }
        for (size_t number = 0; number < model_.events.size(); ++number) {
            const ModelEvent& event = model_.events[number];
            if (recordLength(event.channel.size(), event.payload.size()) > zone.log.maxRecord()) {
                model_.dropped.insert(number);
            }
        }
        checkZone(zone, anyDropped());
        assert_true(zone.log.lastId() == old_.log.lastId());
        assert_int_equal(zone.log.stats().published, model_.events.size());
        checkRetired();
    }

    // For every set of channels that had events: exactly what is there, and a gap exactly for what is not.
    void checkExactly(TestLog& zone) {
        for (int i = 0; i < 40 && !recorded_.empty(); ++i) {
            checkReplay(zone, model_, drawNames(recorded_), drawCursor(zone, model_, random_), {}, true,
                        random_);
        }
    }

    // For any set of channels: nothing wrong, nothing out of order, and no silence about what is missing.
    void checkSafely(TestLog& zone) {
        for (int i = 0; i < 40; ++i) {
            const std::set<std::string> names{drawName(), drawName(), drawName()};
            checkReplay(zone, model_, names, drawCursor(zone, model_, random_), {}, false, random_);
        }
    }

    // The old log answers like the new one, where both hold the same.
    void checkSame(TestLog& zone) {
        for (int i = 0; i < 40; ++i) {
            const std::set<std::string> names = drawNames(recorded_);
            const EventId cursor = drawCursor(old_, model_, random_);
            const Replayed before = run(old_, model_, names, cursor, {}, random_);
            const Replayed after = run(zone, model_, names, cursor, {}, random_);
            assert_true(before.numbers == after.numbers);
            assert_int_equal(static_cast<int>(before.gap), static_cast<int>(after.gap));
            assert_true(before.start == after.start);
        }
    }

    // Life goes on, even if the clock was set back.
    void goOn(TestLog& zone, uint64_t events) {
        now_ -= 50;
        for (uint64_t i = 0; i < events; ++i) {
            publish(zone, setting_.channels);
        }
        checkZone(zone, anyDropped());
        assert_int_equal(zone.log.stats().published, model_.events.size());
    }

    TestLog& old() { return old_; }
    const Model& model() const { return model_; }
    bool anyDropped() const { return !model_.dropped.empty(); }
    uint64_t now() const { return now_; }

    static inline std::function<void()> beforeEachRecord;
    static inline uint64_t laps; // how often the copier was overtaken

private:
    std::string drawName() { return Model::name(random_.below(setting_.channels)); }

    std::set<std::string> drawNames(const std::set<std::string>& from) {
        std::set<std::string> names;
        for (uint64_t i = random_.below(3); i < 3 && !from.empty(); ++i) {
            names.insert(*std::next(from.begin(), random_.below(from.size())));
        }
        return names;
    }

    void publish(TestLog& zone, uint64_t channels) {
        now_ += random_.below(4);
        const std::string name = Model::name(random_.below(channels));
        const bool end = random_.chance(3);
        const std::string own = !end && random_.chance(30) ? "own-" + std::to_string(random_.below(9)) : "";
        const uint64_t longest =
            setting_.longestRare != 0 && random_.chance(5) ? setting_.longestRare : setting_.longest;
        const uint64_t most = std::min(longest, zone.log.maxRecord() - 256);
        const std::string rendered =
            end ? "" : fields(std::string(random_.below(most), 'a' + random_.below(26)));
        const EventId before = zone.log.lastId();
        const Appended appended = zone.log.append(
            {.channel = name, .hash = model_.hash(name), .publisherId = own, .end = end, .fields = rendered},
            now_);
        assert_true(appended.status == AppendStatus::Ok && appended.id > before);
        const std::string id = idText(appended.id) + (own.empty() ? "" : "~" + own);
        model_.events.push_back({appended.id, name, "id: " + id + "\n" + rendered, now_, end});
    }

    // Nothing can be added to the old log, and all that it held can still be read.
    void checkRetired() {
        const uint64_t head = old_.log.head();
        assert_true(append(old_.log, "channel-0", "late", now_ + 1).status == AppendStatus::Retired);
        assert_true(old_.log.head() == head);
        checkZone(old_);
    }

    Setting setting_;
    Random random_;
    uint64_t now_;
    TestLog old_;
    Model model_;
    std::set<std::string> recorded_; // channels with a record in the old log
};

void takesAll(void**) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
        Life life(seed, {});
        life.fill(seed % 4 == 0 ? 50 : 100 * (seed % 4));
        TestLog zone{static_cast<uint32_t>(16 + seed % 20), Log::kMinCapacity * 2 + seed % 5 * 8, life.now(),
                     kOtherLineage};
        life.moveTo(zone);
        assert_int_equal(zone.log.stats().evicted, life.old().log.stats().evicted);
        life.checkSame(zone);
        life.checkExactly(zone);
        life.checkSafely(zone);
        life.goOn(zone, 400);
        life.checkExactly(zone);
        life.checkSafely(zone);
    }
}

void keepsTheNewest(void**) {
    for (uint64_t seed = 100; seed < 100 + kSeeds; ++seed) {
        Life life(seed, {.capacity = 4 * Log::kMinCapacity, .longest = 1500});
        life.fill(130);
        TestLog zone{16, Log::kMinCapacity + seed % 7 * 8, life.now(), kOtherLineage};
        life.moveTo(zone);
        assert_true(zone.log.stats().evicted > life.old().log.stats().evicted);
        assert_true(zone.log.stats().used > zone.log.capacity() - 2 * (1500 + 256));
        life.checkExactly(zone);
        life.checkSafely(zone);
        life.goOn(zone, 200);
        life.checkExactly(zone);
    }
}

// An event larger than the new log takes is missing, and so is what lay behind it in its channel.
void leavesOutWhatIsTooLarge(void**) {
    uint64_t with = 0;
    for (uint64_t seed = 200; seed < 200 + kSeeds; ++seed) {
        Life life(seed, {.capacity = 4 * Log::kMinCapacity, .longest = 400, .longestRare = 40000});
        life.fill(60 + seed % 90);
        TestLog zone{16, Log::kMinCapacity, life.now(), kOtherLineage};
        life.moveTo(zone);
        with += life.anyDropped() ? 1 : 0;
        life.checkExactly(zone);
        life.goOn(zone, 300);
        life.checkExactly(zone);
    }
    assert_true(with > kSeeds / 2);
}

// Channels that the old index or the new one had no room for.
void fewerEntries(void**) {
    for (uint64_t seed = 300; seed < 300 + kSeeds; ++seed) {
        const uint32_t before = 1 + seed % 40;
        const uint32_t after = 1 + seed % 13 * 3;
        Life life(seed, {.channels = 30, .entries = before});
        life.fill(40 * (1 + seed % 5));
        TestLog zone{after, Log::kMinCapacity + seed % 2 * 3000, life.now(), kOtherLineage};
        life.moveTo(zone);
        life.checkSafely(zone);
        life.goOn(zone, 150);
        life.checkSafely(zone);
    }
}

void collisions(void**) {
    for (uint64_t seed = 400; seed < 400 + kSeeds; ++seed) {
        Life life(seed, {.hashes = 1 + seed % 6});
        life.fill(150);
        TestLog zone{8, Log::kMinCapacity * (1 + seed % 2), life.now(), kOtherLineage};
        life.moveTo(zone);
        life.checkSafely(zone);
        life.goOn(zone, 150);
        life.checkSafely(zone);
    }
}

void severalTimes(void**) {
    Life life(500, {});
    life.fill(80);
    TestLog second{20, 2 * Log::kMinCapacity, life.now(), kOtherLineage};
    life.moveTo(second);
    TestLog third{16, Log::kMinCapacity, life.now(), kOtherLineage};
    takeOver(third.log, second.log);
    checkZone(third);
    life.checkSame(third);
    life.checkExactly(third);
    assert_true(append(second.log, "a", "late").status == AppendStatus::Retired);
    life.goOn(third, 100);
}

// Events that were too large for a log before are still missed, and counted, after the next one has taken
// over.
void tooLargeForALogBefore(void**) {
    const std::string large(40000, 'x');
    TestLog first{4, 4 * Log::kMinCapacity};
    Model model;
    const auto publish = [&model](TestLog& zone, const std::string& name, const std::string& data) {
        const Appended appended = append(zone.log, name, model.hash(name), data);
        assert_true(appended.status == AppendStatus::Ok);
        model.events.push_back({appended.id, name, rendered(appended.id, data), kBirth});
    };
    for (const std::string& name : {Model::name(0), Model::name(1)}) {
        publish(first, name, "before");
        model.dropped.insert(model.events.size());
        publish(first, name, large);
    }
    publish(first, Model::name(0), "behind");
    publish(first, Model::name(2), large);
    model.dropped.insert(5);

    TestLog second{4};
    takeOver(second.log, first.log);
    TestLog third{4};
    takeOver(third.log, second.log);
    checkZone(third, true);
    assert_int_equal(third.log.stats().published, model.events.size());
    publish(third, Model::name(1), "behind");

    Random random(1);
    for (const ModelEvent& event : model.events) {
        checkReplay(third, model, {Model::name(0)}, event.id, {}, true, random);
        checkReplay(third, model, {Model::name(1)}, event.id, {}, false, random); // its newest event was lost
    }
}

void nothingToTake(void**) {
    for (const uint64_t born : {kBirth - 1000, kBirth, kBirth + 1000}) {
        TestLog old{4, Log::kMinCapacity, kBirth};
        TestLog zone{4, 2 * Log::kMinCapacity, born, kOtherLineage};
        takeOver(zone.log, old.log);
        checkZone(zone);
        assert_true(zone.log.lastId() == kBorn);
        assert_int_equal(zone.log.stats().published, 0);
        assert_int_equal(zone.log.stats().used, 0);
        assert_true(append(old.log, "a", "late").status == AppendStatus::Retired);

        // A reader of the old log, who had seen nothing of it, goes on without a gap.
        const Appended first = append(zone.log, "a", "first", kBirth);
        assert_true(first.id == idOf(kBirth, 1));
        checkZone(zone);
        ReplayChannel channels[] = {channel(zone.log, "a")};
        Replay replay{zone.log, channels, kBorn, zone.log.lastId(), {}};
        assert_true(replay.seek(UINT32_MAX) == ReadStatus::Ok && replay.gap() == Gap::None);
        ReplayEvent event;
        assert_true(replay.next(UINT64_MAX, event) == ReadStatus::Ok && event.header.id == first.id);
    }
}

// Publishers go on meanwhile, slower than the copying or so fast that they lap it.
void whileOthersPublish(void**) {
    Life::laps = 0;
    for (uint64_t seed = 600; seed < 600 + 4 * kSeeds; ++seed) {
        Life life(seed, {.capacity = 2 * Log::kMinCapacity, .longestRare = seed % 5 == 0 ? 20000U : 0});
        Random random(seed);
        const uint64_t before = seed % 4 == 0 ? 50 : 200;
        life.fill(before);
        TestLog zone{static_cast<uint32_t>(16 + seed % 20), Log::kMinCapacity * (1 + seed % 4), life.now(),
                     kOtherLineage};
        uint64_t most = random.below(1500);
        const uint64_t burst = 1 + random.below(9);
        life.moveUnder(zone, [&] {
            for (uint64_t i = random.below(burst); i > 0 && most > 0; --i, --most) {
                life.publishToOld();
            }
        });
        assert_true(life.anyDropped() || zone.log.capacity() <= life.old().log.capacity() ||
                    zone.log.stats().evicted <= life.old().log.stats().evicted);
        life.checkExactly(zone);
        life.checkSafely(zone);
        life.goOn(zone, 200);
        life.checkExactly(zone);
        life.checkSafely(zone);
    }
    assert_true(Life::laps > kSeeds / 4);
}

// Breaks go along, be they in the ring or not.
void breaksStay(void**) {
    uint64_t gone = 0;
    for (uint64_t seed = 1000; seed < 1000 + kSeeds; ++seed) {
        Life life(seed, {.capacity = 2 * Log::kMinCapacity, .breaks = 2 + seed % 3 * 10});
        life.fill(250);
        TestLog zone{16, Log::kMinCapacity * (1 + seed % 3), life.now(), kOtherLineage};
        life.moveTo(zone);
        const Break before = life.old().log.newestBreak();
        const Break now = zone.log.newestBreak();
        assert_true(now.id == before.id);
        gone += before.id != EventId{} && before.offset < life.old().log.tail() ? 1 : 0;
        life.checkExactly(zone);
        life.goOn(zone, 200);
        life.checkExactly(zone);
        TestLog next{16, Log::kMinCapacity * 4, life.now(), kOtherLineage};
        takeOver(next.log, zone.log);
        assert_true(next.log.newestBreak().id == before.id);
        checkZone(next);
        life.checkSafely(next);
    }
    assert_true(gone > kSeeds / 10);
}

// Whatever comes or begins meanwhile: what the new log has is of one life, with the ids of that.
void whileLivesBegin(void**) {
    Life::laps = 0;
    uint64_t lives = 0;
    for (uint64_t seed = 1100; seed < 1100 + 4 * kSeeds; ++seed) {
        Life life(seed, {.capacity = 2 * Log::kMinCapacity, .breaks = 10});
        Random random(seed);
        life.fill(seed % 4 == 0 ? 0 : 100);
        if (seed % 3 == 0) {
            life.beginLife();
            for (uint64_t i = random.below(20); i > 0; --i) {
                life.publishToOld();
            }
        }
        TestLog zone{16, Log::kMinCapacity * (1 + seed % 4), life.now(), kOtherLineage};
        uint64_t most = random.below(300);
        life.moveUnder(zone, [&] {
            if (most > 0 && random.chance(30)) {
                --most;
                random.chance(5)    ? life.beginLife()
                : random.chance(10) ? life.breakOff()
                                    : life.publishToOld();
            }
        });
        assert_true(zone.log.lineage() == life.old().log.lineage());
        assert_true(zone.log.newestBreak().id == life.old().log.newestBreak().id);
        lives += zone.log.lineage() != kLineage ? 1 : 0;
        life.checkExactly(zone);
        life.checkSafely(zone);
        life.goOn(zone, 200);
        life.checkExactly(zone);
    }
    assert_true(lives > kSeeds && Life::laps > kSeeds / 4);
}

// The process that copies dies. Until the old log is retired that goes on as before, and then there is
// nothing but to take it over once more.
void deathOfTheCopier(void**) {
    uint64_t retired = 0;
    for (uint64_t seed = 900; seed < 900 + kSeeds; ++seed) {
        Random random(seed);
        uint64_t steps = 0;
        for (const bool dies : {false, true}) {
            Life life(seed, {.capacity = 2 * Log::kMinCapacity});
            life.fill(150);
            TestLog zone{16, Log::kMinCapacity, life.now(), kOtherLineage};
            const uint64_t last = random.chance(50) ? 0 : 2 * random.below(steps / 4 + 1);
            steps = life.dieMoving(zone, dies ? steps - random.below(last + 1) : 0);
            if (!dies) {
                continue;
            }
            if (life.old().header().retired == 0) {
                life.publishToOld();
            } else {
                ++retired;
            }
            TestLog next{20, 3 * Log::kMinCapacity, life.now(), kOtherLineage};
            life.moveUnder(next, [] {});
            life.checkExactly(next);
            life.goOn(next, 100);
            life.checkExactly(next);
        }
    }
    assert_true(retired > kSeeds / 10 && retired < kSeeds * 9 / 10);
}

// A publisher in a thread of its own waits for the lock alone, and what it was told to be in the log is in
// one of the two.
void besideAThread(void**) {
    TestLog old{8, 4 * Log::kMinCapacity};
    std::mutex lock;
    std::atomic<uint64_t> accepted{0};
    std::atomic<bool> isOver{false};
    std::thread publisher([&] {
        for (uint64_t number = 0; !isOver; ++number) {
            const std::string data = std::to_string(number) + std::string(number % 300, ' ');
            const std::lock_guard guard(lock);
            if (append(old.log, number % 3 == 0 ? "a" : "b", data).status != AppendStatus::Ok) {
                return;
            }
            accepted = number + 1;
        }
    });
    while (accepted < 3000) { // the ring is full
        std::this_thread::yield();
    }
    TestLog zone{8, 16 * Log::kMinCapacity, kBirth, kOtherLineage};
    TakeOver(zone.log, old.log).run([&](auto&& visit) {
        const std::lock_guard guard(lock);
        visit(old.log);
    });
    publisher.join();
    isOver = true;
    checkZone(zone);
    const std::vector<LoggedEvent> events = walk(zone.log);
    assert_int_equal(events.back().header.number + 1, accepted.load());
    assert_true(events.front().header.number <= old.log.stats().evicted);
    for (const LoggedEvent& event : events) {
        const uint64_t number = event.header.number;
        const std::string data = std::to_string(number) + std::string(number % 300, ' ');
        assert_string_equal(payloadOf(zone.log, event.offset, event.header).c_str(),
                            rendered(event.header.id, data).c_str());
    }
}

struct Told {
    Gap gap;
    EventId start;
    uint64_t events;
};

Told read(TestLog& zone, const char* name, EventId cursor) {
    ReplayChannel channels[] = {channel(zone.log, name)};
    Replay replay{zone.log, channels, cursor, zone.log.lastId(), {}};
    assert_true(replay.seek(UINT32_MAX) == ReadStatus::Ok);
    Told told{replay.gap(), replay.start(), 0};
    ReplayEvent event;
    while (replay.next(UINT64_MAX, event) == ReadStatus::Ok) {
        ++told.events;
    }
    return told;
}

// A log that began with a loss: every cursor but its own is told so, in the logs after it as well.
void afterALoss(void**) {
    TestLog first{4};
    assert_false(first.log.beganWithLoss());
    first.log.noteLoss();
    assert_true(first.log.beganWithLoss());
    const EventId id = append(first.log, "a", "1", kBirth + 5).id;
    append(first.log, "a", "2", kBirth + 6);
    TestLog second{4, 2 * Log::kMinCapacity, kBirth + 9, kOtherLineage};
    takeOver(second.log, first.log);
    TestLog third{4, Log::kMinCapacity, kBirth + 9, kOtherLineage};
    takeOver(third.log, second.log);

    for (TestLog* zone : {&first, &second, &third}) {
        struct {
            EventId cursor;
            Gap gap;
        } const others[] = {
            {Replay::kBeginning, Gap::Evicted},
            {{kBirth - 1, 0}, Gap::Evicted}, // a moment before it began
            {{kBirth, kLineage + 1}, Gap::Unknown},
            {{kBirth + 5, kLineage + 2}, Gap::Unknown},
            {{UINT64_MAX, 0}, Gap::Unknown},
        };
        for (const auto& other : others) {
            for (const char* name : {"a", "none"}) {
                const Told told = read(*zone, name, other.cursor);
                assert_int_equal(static_cast<int>(told.gap), static_cast<int>(other.gap));
                assert_int_equal(told.events, *name == 'a' ? 2 : 0);
                assert_true(read(*zone, name, told.start).gap == Gap::None); // told once
            }
        }
        for (const EventId own : {kBorn, id}) {
            const Told told = read(*zone, "a", own);
            assert_true(told.gap == Gap::None && told.events == (own == kBorn ? 2 : 1));
        }
    }
}

// Names have the same hashes as before, by the old log's key, and publisher ids are found.
void namesAndPublisherIds(void**) {
    TestLog old{4};
    append(old.log, "a", "1", kBirth, "mine");
    const EventId newest = append(old.log, "a", "2", kBirth, "mine").id;
    TestLog zone{4, 2 * Log::kMinCapacity};
    zone.header().key = {3, 4};
    takeOver(zone.log, old.log);
    assert_true(zone.log.hash("a") == old.log.hash("a"));
    const ReplayChannel channels[] = {channel(zone.log, "a")};
    assert_true(findPublisherId(zone.log, channels, "mine") == newest);
}

void goOnMeanwhile(const char* place) {
    if (Life::beforeEachRecord && place == std::string_view("take over: next record")) {
        Life::beforeEachRecord();
    }
    Life::laps += place == std::string_view("take over: again") ? 1 : 0;
    dieInTime(place);
}

int install(void**) {
    faultHook = goOnMeanwhile;
    return 0;
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(takesAll),
        cmocka_unit_test(keepsTheNewest),
        cmocka_unit_test(leavesOutWhatIsTooLarge),
        cmocka_unit_test(fewerEntries),
        cmocka_unit_test(collisions),
        cmocka_unit_test(severalTimes),
        cmocka_unit_test(tooLargeForALogBefore),
        cmocka_unit_test(whileOthersPublish),
        cmocka_unit_test(breaksStay),
        cmocka_unit_test(whileLivesBegin),
        cmocka_unit_test(deathOfTheCopier),
        cmocka_unit_test(besideAThread),
        cmocka_unit_test(nothingToTake),
        cmocka_unit_test(afterALoss),
        cmocka_unit_test(namesAndPublisherIds),
    };
    return cmocka_run_group_tests(tests, install, nullptr);
}
