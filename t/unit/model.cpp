// Long random runs of every operation of the log, compared with a plain model of it.
#include <bitset>

#include "check.hpp"
#include "cmocka.hpp"
#include "model.hpp"

using namespace sse;

namespace {

struct Setting {
    uint64_t seed;
    uint64_t channels;
    uint32_t entries;
    uint64_t hashes;
};

class Run {
public:
    explicit Run(const Setting& setting)
        : setting_(setting), zone_(setting.entries), random_(setting.seed), now_(kBirth) {
        model_.hashes = setting.hashes;
    }

    void operator()(uint32_t operations) {
        for (uint32_t i = 0; i < operations; ++i) {
            step(random_.below(100));
            if (i % 64 == 0) {
                checkZone(zone_);
            }
        }
        checkZone(zone_);
        assert_int_equal(zone_.log.stats().published, model_.events.size());
        assert_true(zone_.log.stats().evicted > 100);
        if (exact()) {
            assert_int_equal(zone_.log.stats().forgottenChannels, 0);
        }
    }

private:
    bool exact() const {
        return setting_.channels <= setting_.entries && setting_.channels <= setting_.hashes;
    }

    std::string drawName() {
        const uint64_t number = random_.below(setting_.channels);
        return Model::name(random_.chance(50) ? number / 3 : number); // some are busier
    }

    void step(uint64_t what) {
        if (what < 58) {
            publish();
        } else if (what < 59) {
            breakOff();
        } else if (what < 60) {
            beginLife();
        } else if (what < 68) {
            listen();
        } else if (what < 76) {
            unlisten();
        } else if (what < 84) {
            count();
        } else if (what < 92) {
            look();
        } else if (what < 93) {
            forget();
        } else if (what < 94) {
            zone_.log.beginCensus();
            for (auto& [hash, listeners] : model_.listeners) {
                listeners.announced = 0;
            }
        } else {
            replay();
        }
    }

    void publish() {
        now_ += random_.below(4);
        now_ -= random_.chance(2) ? 5 : 0; // the clock is set back
        const std::string name = drawName();
        const uint64_t hash = model_.hash(name);
        const std::string data(random_.below(random_.chance(3) ? 12000 : 600), 'a' + random_.below(26));
        const std::string text = fields(data);
        const EventId id = random_.chance(20) ? later(drawId(), 1) : EventId{};
        const Appended appended = zone_.log.append(
            {.channel = name, .hash = hash, .publisherId = {}, .fields = text, .id = id}, now_);

        assert_true(appended.status == AppendStatus::Ok && zone_.log.lastId() == appended.id);
        assert_true(id == EventId{} || appended.id == id);
        assert_true(model_.events.size() == model_.life.first || appended.id > model_.events.back().id);
        model_.events.push_back({appended.id, name, rendered(appended.id, data), now_});

        const auto listeners = model_.listeners.find(hash);
        const bool any = listeners != model_.listeners.end();
        const size_t size =
            std::bitset<64>(appended.listeners[0]).count() + std::bitset<64>(appended.listeners[1]).count();
        assert_int_equal(size, any ? listeners->second.workers.size() : 0);
        assert_int_equal(appended.subscribers, any ? listeners->second.subscribers() : 0);
        if (any) {
            for (const uint32_t worker : listeners->second.workers) {
                assert_true(appended.listeners[worker / 64] >> worker % 64 & 1);
            }
        }
    }

    // The last one, or a newer one.
    EventId drawId() {
        const EventId last = zone_.log.lastId();
        return random_.chance(50)
                   ? last
                   : EventId{last.milliseconds + 1 + random_.below(5), last.sequence % kLineages};
    }

    void breakOff() {
        const EventId id = drawId();
        assert_true(zone_.log.appendBreak(id) == AppendStatus::Ok && zone_.log.lastId() == id);
        model_.life.newestBreak = {id, model_.events.size()};
    }

    // Rarely, so that a ring is full in between. Who listens stays.
    void beginLife() {
        if (random_.chance(15)) {
            const uint64_t lineage = zone_.log.lineage() + 1;
            assert_true(zone_.log.beginLife(lineage));
            model_.life = {.birth = {0, lineage}, .first = model_.events.size()};
            assert_true(zone_.log.stats().evicted == model_.events.size());
        }
    }

    void listen() {
        const uint64_t hash = model_.hash(drawName());
        const uint32_t worker = random_.below(kMaxListeners);
        const ChannelState state = zone_.log.listen(hash, worker);
        const auto known = model_.listeners.find(hash);

        if (state.entry == kNoEntry) {
            assert_true(known == model_.listeners.end() && model_.listeners.size() == setting_.entries);
        } else if (known != model_.listeners.end()) {
            assert_int_equal(state.entry, known->second.entry);
            known->second.workers.insert(worker);
        } else {
            model_.listeners[hash] = {{worker}, state.entry, 0, model_.events.size()};
            assert_int_equal(state.subscribers, model_.listeners[hash].subscribers());
        }
    }

    // A channel that is listened to; null if there is none.
    std::pair<const uint64_t, ModelListeners>* drawListened() {
        if (model_.listeners.empty()) {
            return nullptr;
        }
        return &*std::next(model_.listeners.begin(), random_.below(model_.listeners.size()));
    }

    void remove(uint64_t hash, uint32_t worker) {
        model_.listeners[hash].workers.erase(worker);
        if (model_.listeners[hash].workers.empty()) {
            model_.listeners.erase(hash);
        }
    }

    void unlisten() {
        if (auto* listened = drawListened()) {
            const ModelListeners& listeners = listened->second;
            const uint32_t worker =
                *std::next(listeners.workers.begin(), random_.below(listeners.workers.size()));
            zone_.log.unlisten(listeners.entry, worker);
            remove(listened->first, worker);
        }
    }

    void count() {
        if (auto* listened = drawListened()) {
            ModelListeners& listeners = listened->second;
            const int32_t change = static_cast<int32_t>(random_.below(9)) - 4;
            zone_.log.addSubscribers(listeners.entry, change);
            listeners.announced = std::max(static_cast<int32_t>(listeners.announced) + change, 0);
            assert_int_equal(zone_.log.channelAt(listeners.entry).subscribers, listeners.subscribers());
        }
    }

    void look() {
        const std::string name = drawName();
        const uint64_t hash = model_.hash(name);
        const ChannelState state = zone_.log.findChannel(hash);
        EventId newest{};
        for (uint64_t number = model_.life.first; number < model_.events.size(); ++number) {
            const ModelEvent& event = model_.events[number];
            newest = model_.hash(event.channel) == hash ? event.id : newest;
        }
        assert_true(state.newestId >= newest);
        if (exact()) {
            assert_true(state.newestId == std::max(newest, model_.life.birth));
        }
        if (state.newest != kNoOffset) {
            RecordHeader record;
            assert_true(zone_.log.readHeader(state.newest, record) == ReadStatus::Ok);
            assert_true(record.id == newest && state.newestId == newest);
        }
    }

    void forget() {
        const uint32_t worker = random_.below(kMaxListeners);
        const uint32_t slice = 1 + random_.below(10);
        uint32_t from = 0;
        while (zone_.log.forgetListeners(setOf(worker), from, slice)) {
            from += slice;
        }
        const auto all = model_.listeners;
        for (const auto& [hash, listeners] : all) {
            if (listeners.workers.count(worker) == 1) {
                remove(hash, worker);
            }
        }
    }

    void replay() {
        std::set<std::string> names;
        for (uint64_t i = random_.below(3); i < 3; ++i) {
            names.insert(drawName());
        }
        const EventId cursor = drawCursor(zone_, model_, random_);
        checkReplay(zone_, model_, names, cursor, drawHistory(model_, random_), exact(), random_);
    }

    Setting setting_;
    TestLog zone_;
    Random random_;
    uint64_t now_;
    Model model_;
};

void roomForAll(void**) {
    Run({1, 12, 16, UINT64_MAX})(40000);
}

void fewerEntriesThanChannels(void**) {
    Run({2, 40, 8, UINT64_MAX})(20000);
    Run({3, 300, 100, UINT64_MAX})(20000);
}

void oneEntry(void**) {
    Run({4, 3, 1, UINT64_MAX})(10000);
}

void collisions(void**) {
    Run({5, 12, 16, 4})(10000);
    Run({6, 30, 4, 7})(10000);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(roomForAll),
        cmocka_unit_test(fewerEntriesThanChannels),
        cmocka_unit_test(oneEntry),
        cmocka_unit_test(collisions),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
