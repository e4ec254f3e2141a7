// Kills a writer at every step of every operation, and at every step of the recovery after it.
// build: -DSSE_FAULTS
#include "check.hpp"
#include "cmocka.hpp"
#include "mortal.hpp"

using namespace sse;

namespace {

class State {
public:
    State(uint64_t seed, uint32_t entries, uint64_t channels)
        : random_(seed), channels_(channels), entries_(entries), zone_(entries) {
        model_.hashes = random_.chance(20) ? 5 : UINT64_MAX;
        for (uint64_t i = random_.chance(10) ? random_.below(20) : 200 + random_.below(300); i > 0; --i) {
            lives_ = i % 150 == 0 ? 20 : 0;
            grow();
        }
        lives_ = 7;
        checkZone(zone_);
        snapshot_.assign(zone_.bytes, zone_.bytes + zone_.size);
    }

    // Dies at each step of one operation. Returns how many there were.
    uint64_t die() {
        const Operation operation = draw();
        uint64_t step = 1;
        restore();
        while (!performUntil(zone_.log, operation, step)) {
            checkReaders();
            if (random_.chance(70)) { // the next writer dies as well, while it puts things right
                performUntil(zone_.log, {.kind = Kind::Recover}, 1 + random_.below(2 * entries_ + 12));
                checkReaders();
            }
            checkAfter(operation);
            restore();
            ++step;
        }
        return step - 1;
    }

    // Dies at each step of the recovery from one death.
    uint64_t dieTwice() {
        const Operation operation = draw();
        restore();
        performUntil(zone_.log, operation, 0);
        if (stepsDone == 0) { // nothing that a death could break
            return 0;
        }
        const uint64_t first = 1 + random_.below(stepsDone);
        uint64_t step = 0;
        bool died;
        do {
            restore();
            performUntil(zone_.log, operation, first);
            died = !performUntil(zone_.log, {.kind = Kind::Recover}, ++step);
            checkReaders();
            checkAfter(operation);
        } while (died);
        return step;
    }

private:
    std::string drawName() { return Model::name(random_.below(channels_)); }

    std::string drawFields() {
        return fields(std::string(random_.below(random_.chance(5) ? 15000 : 900), 'a' + random_.below(26)));
    }

    // Newer than all before, but for some.
    EventId drawId() {
        const EventId last = zone_.log.lastId();
        switch (random_.below(10)) {
        case 0:
            return last;
        case 1:
        case 2:
        case 3:
        case 4:
            return later(last, 1 + random_.below(3));
        default:
            return later({last.milliseconds + 1 + random_.below(9), zone_.log.lineage()}, random_.below(3));
        }
    }

    Operation draw() {
        Operation operation{.kind = Kind::Append, .name = drawName(), .fields = drawFields()};
        const Kind kinds[] = {Kind::Append,   Kind::Append, Kind::Append, Kind::Append, Kind::Append,
                              Kind::Append,   Kind::Listen, Kind::Listen, Kind::Listen, Kind::Unlisten,
                              Kind::Unlisten, Kind::Forget, Kind::Count,  Kind::Census, Kind::Break};
        operation.kind = random_.chance(lives_) ? Kind::Life : kinds[random_.below(std::size(kinds))];
        operation.lineage = zone_.log.lineage() + 1;
        if (operation.kind == Kind::Break || random_.chance(20)) {
            operation.id = drawId();
        }
        operation.hash = model_.hash(operation.name);
        operation.events = operation.kind == Kind::Append && random_.chance(30) ? 2 + random_.below(3) : 1;
        if (random_.chance(50)) {
            operation.publisherId = "own-" + std::to_string(random_.below(20));
        }
        if (random_.chance(30)) {
            operation.stamp = Stamp::ofKey(std::to_string(random_.below(1000000)));
        }
        operation.now = kBirth + model_.events.size() / 2 + random_.below(3);
        operation.worker = random_.below(4) * 40;
        operation.entry = random_.below(entries_);
        return operation;
    }

    void grow() {
        const Operation operation = draw();
        const uint64_t head = zone_.log.head();
        perform(zone_.log, operation);
        note(zone_, model_, operation, head);
    }

    void restore() {
        std::memcpy(zone_.bytes, snapshot_.data(), snapshot_.size());
        head_ = zone_.log.head();
    }

    // Readers go on without the lock, whoever has died.
    void checkReaders() {
        const std::vector<LoggedEvent> events = walk(zone_.log);
        for (const LoggedEvent& event : events) {
            if (event.header.number < model_.events.size()) {
                const std::string& right = model_.events[event.header.number].payload;
                assert_string_equal(payloadOf(zone_.log, event.offset, event.header).c_str(), right.c_str());
            } else {
                assert_true(event.offset >= head_);
            }
        }
    }

    // The next writers find everything in order: first one that only looks, then some that write.
    void checkAfter(const Operation& operation) {
        const size_t events = model_.events.size();
        const ModelLife life = model_.life;
        zone_.checkAttaches();
        zone_.log.findChannel(operation.hash);
        note(zone_, model_, operation, head_);
        checkZone(zone_);
        checkListeners(operation);
        checkReplays();
        for (int i = 0; i < 3; ++i) {
            const uint64_t head = zone_.log.head();
            Operation next = draw();
            next.kind = i == 1 ? Kind::Listen : Kind::Append;
            next.name = i == 0 ? operation.name : next.name;
            next.hash = model_.hash(next.name);
            next.id = {};
            const Appended appended = perform(zone_.log, next);
            const bool isAppended = appended.status == AppendStatus::Ok && zone_.log.head() > head;
            assert_true(i == 1 || isAppended || next.events > 1); // together they may be too large
            note(zone_, model_, next, head);
            checkZone(zone_);
        }
        checkReplays();
        model_.events.resize(events);
        model_.life = life;
    }

    // Nobody else's listener ids have changed. An entry with listeners is still the same channel's.
    void checkListeners(const Operation& operation) {
        const uint32_t used = reinterpret_cast<const LogHeader*>(snapshot_.data())->used;
        const size_t place = reinterpret_cast<std::byte*>(zone_.entries()) - zone_.bytes;
        for (uint32_t e = 0; e < used; ++e) {
            IndexEntry before;
            std::memcpy(&before, snapshot_.data() + place + e * sizeof(before), sizeof(before));
            const IndexEntry& now = zone_.entries()[e];
            if (!listenedTo(before)) {
                continue;
            }
            for (uint32_t worker = 0; worker < kMaxListeners; ++worker) {
                const uint64_t bit = uint64_t{1} << worker % 64;
                const bool differs =
                    ((before.listeners[worker / 64] ^ now.listeners[worker / 64]) & bit) != 0;
                assert_true(!differs || worker == operation.worker);
            }
            assert_true(now.hash == before.hash || operation.kind == Kind::Forget ||
                        operation.kind == Kind::Unlisten);
        }
    }

    void checkReplays() {
        for (int i = 0; i < 4; ++i) {
            const std::set<std::string> names{drawName(), drawName()};
            const bool exact = channels_ <= entries_ && model_.hashes == UINT64_MAX;
            checkReplay(zone_, model_, names, drawCursor(zone_, model_, random_), {}, exact, random_);
        }
    }

    Random random_;
    uint64_t channels_;
    uint64_t lives_ = 0; // percent of the operations that begin another one
    uint32_t entries_;
    TestLog zone_;
    Model model_;
    std::vector<std::byte> snapshot_;
    uint64_t head_ = 0;
};

int install(void**) {
    faultHook = dieInTime;
    return 0;
}

void roomForAll(void**) {
    uint64_t deaths = 0;
    for (uint64_t seed = 0; seed < 250; ++seed) {
        deaths += State(seed, 12, 10).die();
    }
    print_message("# %lu deaths\n", static_cast<unsigned long>(deaths));
    assert_true(deaths > 1500);
}

void fullIndex(void**) {
    uint64_t deaths = 0;
    for (uint64_t seed = 1000; seed < 1300; ++seed) {
        deaths += State(seed, 1 + seed % 7, 20).die();
    }
    print_message("# %lu deaths\n", static_cast<unsigned long>(deaths));
    assert_true(deaths > 2000);
}

void deathDuringRecovery(void**) {
    uint64_t deaths = 0;
    for (uint64_t seed = 2000; seed < 2200; ++seed) {
        deaths += State(seed, 1 + seed % 9, 12).dieTwice();
    }
    print_message("# %lu deaths\n", static_cast<unsigned long>(deaths));
    assert_true(deaths > 1000);
}

// An entry that was being made for a new channel is nobody's now, and is used before that of a channel of
// which the log still knows something.
void nobodyIsForgottenForTheDead(void**) {
    bool died = true;
    for (uint64_t step = 1; died; ++step) {
        TestLog zone{3};
        const EventId id = append(zone.log, "silent", "x").id;
        const uint64_t head = zone.log.head();
        while (zone.log.tail() < head) {
            append(zone.log, "busy", std::string(4000, 'x'));
        }
        Operation operation{.kind = Kind::Append, .name = "new", .fields = fields("x"), .now = kBirth + 1};
        operation.hash = zone.log.hash(operation.name);
        died = !performUntil(zone.log, operation, step);
        performUntil(zone.log, operation, 0);

        const ChannelState silent = zone.log.findChannel(zone.log.hash("silent"));
        assert_true(silent.entry != kNoEntry && silent.newestId == id);
        assert_true(zone.header().forgottenId.load() == kBorn);
        checkZone(zone);
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(roomForAll),
        cmocka_unit_test(fullIndex),
        cmocka_unit_test(deathDuringRecovery),
        cmocka_unit_test(nobodyIsForgottenForTheDead),
    };
    return cmocka_run_group_tests(tests, install, nullptr);
}
