// A state machine over the log: whatever writers do and wherever they die, the log is in order, readers read
// on, and replays give what a plain model of it holds. The input says what is done.
// build: -DSSE_FAULTS
// run: -len_control=0 -max_len=4096
#include <cstdlib>
#include <memory>

#include <fuzzer/FuzzedDataProvider.h>

#include "check.hpp"
#include "cmocka.hpp"
#include "mortal.hpp"
#include "reader.hpp"

using namespace sse;

namespace {

constexpr size_t kMostOperations = 300;
constexpr uint32_t kMostEntries = 24;
constexpr uint64_t kMostChannels = 20;

Reader* reading; // goes on at this step of a writer, if it has so many
uint64_t readsAt;

void readAndDie(const char* place) {
    if (reading != nullptr && stepsDone + 1 == readsAt) {
        reading->step();
    }
    dieInTime(place);
}

ListenerSet setOf(const ModelListeners& listeners) {
    ListenerSet set{};
    for (const uint32_t worker : listeners.workers) {
        set[worker / 64] |= uint64_t{1} << worker % 64;
    }
    return set;
}

class Machine {
public:
    explicit Machine(FuzzedDataProvider& input)
        : input_(input), channels_(draw<uint64_t>(1, kMostChannels)),
          zone_(std::make_shared<TestLog>(draw<uint32_t>(1, kMostEntries))) {
        model_.hashes = input.ConsumeBool() ? UINT64_MAX : 1 + channels_ / 2;
        roomForAll_ = model_.hashes >= channels_ && channels_ <= zone_->header().channels;
        for (uint64_t i = 0; i < channels_ && roomForAll_; ++i) {
            exact_.insert(Model::name(i));
        }
    }

    void run() {
        for (size_t i = 0; i < kMostOperations && input_.remaining_bytes() > 0; ++i) {
            step();
        }
        settle(drawOperation(Kind::Append), 0);
        check();
        checkAllThereIs();
        replay();
    }

private:
    template <typename Number>
    Number draw(Number least, Number most) {
        return input_.ConsumeIntegralInRange<Number>(least, most);
    }
    std::string drawName() { return Model::name(draw<uint64_t>(0, channels_ - 1)); }
    EventId drawCursor() {
        zone_->log
            .recover(); // whoever comes with a cursor takes the lock, and only then the last id is exact
        Random random(input_.ConsumeIntegral<uint16_t>());
        return sse::drawCursor(*zone_, model_, random);
    }
    uint64_t drawDeath() { return input_.ConsumeBool() ? draw<uint64_t>(1, 40) : 0; }

    void step() {
        constexpr Kind kKinds[] = {Kind::Append,   Kind::Append, Kind::Append, Kind::Listen, Kind::Listen,
                                   Kind::Unlisten, Kind::Forget, Kind::Count,  Kind::Census, Kind::Find,
                                   Kind::Recover,  Kind::Break,  Kind::Break,  Kind::Life};
        switch (draw(0, 9)) {
        case 0:
            replay();
            break;
        case 1:
            read();
            break;
        case 2:
            takeOver();
            break;
        case 3:
            settle(drawOperation(input_.PickValueInArray(kKinds)), drawDeath());
            break;
        default:
            settle(drawOperation(Kind::Append), drawDeath());
            break;
        }
    }

    // --- Writers ---

    Operation drawOperation(Kind kind) {
        Operation operation{.kind = kind, .name = drawName()};
        operation.hash = model_.hash(operation.name);
        operation.worker = 40 * draw<uint32_t>(0, 3);
        operation.change = draw<int32_t>(-4, 4);
        const auto listeners = model_.listeners.find(operation.hash);
        operation.entry = listeners == model_.listeners.end() ? kNoEntry : listeners->second.entry;
        now_ += draw<int32_t>(-2, 6); // the clock may be set back
        operation.now = now_;
        if (kind == Kind::Append) {
            drawEvent(operation);
        }
        if (kind == Kind::Break) {
            drawId(operation);
        }
        operation.lineage = model_.life.birth.sequence + 1;
        return operation;
    }

    // One that is newer than all before, or the last one, which only a break may have.
    void drawId(Operation& operation) {
        const EventId last = lastId();
        const uint8_t step = input_.ConsumeIntegral<uint8_t>();
        isNew_ = operation.kind == Kind::Break || step != 0;
        operation.id = step < 128 ? later(last, step)
                                  : later({last.milliseconds + step - 127, model_.life.birth.sequence}, 0);
    }

    // The sizes of records are what matters, and that no two have the same bytes.
    void drawEvent(Operation& operation) {
        const uint64_t size = input_.ConsumeIntegral<uint8_t>();
        fits_ = isNew_ = true;
        operation.end = size == 255;
        if (size % 5 == 1) {
            drawId(operation);
        }
        if (operation.end) {
            return;
        }
        operation.publisherId = size % 3 == 0 ? "own" : "";
        operation.events = size < 100 && size % 7 == 0 ? 3 : 1;
        uint64_t length =
            std::min(size * size / 4 * zone_->log.capacity() / Log::kMinCapacity, mostData(operation));
        if (size > 249) {
            length += 8 * size - 8 * 252; // a little less or more than what is allowed
            fits_ = length <= mostData(operation);
        }
        operation.fields = fields(std::string(length, static_cast<char>('a' + model_.events.size() % 26)));
    }

    // What it is when the next writer has put things right.
    EventId lastId() const {
        const ModelLife& life = model_.life;
        const EventId last = zone_->header().nextLineage != 0 ? life.birth : zone_->log.lastId();
        const EventId event = model_.events.size() == life.first ? life.birth : model_.events.back().id;
        return std::max({last, event, life.newestBreak ? life.newestBreak->id : EventId{}});
    }

    // Bytes of data in the largest record that the log takes.
    uint64_t mostData(const Operation& operation) const {
        const std::string own = operation.publisherId.empty() ? "" : "~" + operation.publisherId;
        const EventId next = nextEventId(lastId(), operation.now, model_.life.birth.sequence);
        const std::string idLine =
            "id: " + idText(operation.id == EventId{} ? next : operation.id) + own + "\n";
        return zone_->log.maxRecord() - sizeof(RecordHeader) - operation.name.size() - idLine.size() -
               fields("").size();
    }

    // Performs it, to the end or to its death at that step, and compares what it has changed.
    void settle(const Operation& operation, uint64_t death) {
        const uint64_t head = zone_->log.head();
        const uint32_t census = zone_->log.census();
        reading = reader_.get();
        readsAt = draw<uint64_t>(0, 30);
        const auto appended = performUntil(zone_->log, operation, death);
        reading = nullptr;
        note(*zone_, model_, operation, head);
        if (!appended) {
            recover(operation.hash);
        }
        if (zone_->log.census() != census) {
            countsTrue_ = true;
            for (auto& listened : model_.listeners) {
                listened.second.announced = 0;
            }
        }
        compare(operation, head, appended);
        checkListeners();
    }

    // Readers go on without the lock, whoever has died. The next writer may die as well, and the one after
    // that finds all in order.
    void recover(uint64_t hash) {
        countsTrue_ = false; // until the next census, that every death brings about
        walk(zone_->log);
        if (const uint64_t death = input_.ConsumeIntegral<uint8_t>()) {
            performUntil(zone_->log, {.kind = Kind::Recover}, death);
            walk(zone_->log);
        }
        if (input_.ConsumeBool()) { // else it is the next operation
            zone_->checkAttaches();
            zone_->log.findChannel(hash);
            check();
        }
    }

    void compare(const Operation& operation, uint64_t head, const std::optional<Appended>& appended) {
        const auto listened = model_.listeners.find(operation.hash);
        switch (operation.kind) {
        case Kind::Append:
            if (appended) {
                compareAppend(head, *appended,
                              listened == model_.listeners.end() ? ModelListeners{} : listened->second);
            }
            break;
        case Kind::Break:
            assert_true(!appended || appended->status == AppendStatus::Ok);
            break;
        case Kind::Life:
            assert_true(!appended || zone_->log.lineage() == operation.lineage);
            break;
        case Kind::Listen:
            compareMark(operation.hash, operation.worker, appended ? std::optional(true) : std::nullopt);
            break;
        case Kind::Unlisten:
            compareMark(operation.hash, operation.worker, appended ? std::optional(false) : std::nullopt);
            break;
        case Kind::Forget:
            for (uint64_t i = 0; i < channels_; ++i) {
                compareMark(model_.hash(Model::name(i)), operation.worker,
                            appended ? std::optional(false) : std::nullopt);
            }
            break;
        case Kind::Count:
            if (appended && listened != model_.listeners.end()) {
                compareCount(listened->second, operation.change);
            }
            break;
        default:
            break;
        }
    }

    void compareAppend(uint64_t head, const Appended& appended, const ModelListeners& listeners) {
        assert_true(appended.status == (!isNew_ ? AppendStatus::OldId
                                        : fits_ ? AppendStatus::Ok
                                                : AppendStatus::TooLarge));
        const bool isAppended = isNew_ && fits_;
        assert_true(isAppended == (zone_->log.head() > head));
        if (isAppended) {
            assert_true(appended.id == model_.events.back().id);
            assert_true(appended.listeners == setOf(listeners));
            assert_true(!countsTrue_ || appended.subscribers == listeners.subscribers());
        }
    }

    void compareCount(ModelListeners& listeners, int32_t change) {
        listeners.announced =
            static_cast<uint32_t>(std::max<int64_t>(int64_t{listeners.announced} + change, 0));
        if (countsTrue_) {
            assert_int_equal(zone_->log.channelAt(listeners.entry).subscribers, listeners.subscribers());
        }
    }

    // Whether a worker listens now is known but for one that died in between: then it is what the log says.
    void compareMark(uint64_t hash, uint32_t worker, std::optional<bool> right) {
        const uint32_t entry = zone_->log.findChannel(hash).entry;
        const bool full =
            model_.listeners.size() == zone_->header().channels && model_.listeners.count(hash) == 0;
        const bool listens =
            entry != kNoEntry && (zone_->entries()[entry].listeners[worker / 64] >> worker % 64 & 1) != 0;
        assert_true(!right || listens == *right || (full && !listens));
        if (listens) {
            const ModelListeners fresh{{}, entry, 0, model_.events.size()};
            model_.listeners.try_emplace(hash, fresh).first->second.workers.insert(worker);
        } else if (const auto known = model_.listeners.find(hash); known != model_.listeners.end()) {
            known->second.workers.erase(worker);
            if (known->second.workers.empty()) {
                model_.listeners.erase(known);
            }
        }
    }

    // Nobody else's listener ids have changed, and an entry with listeners is still the same channel's.
    void checkListeners() const {
        const IndexEntry* const entries = zone_->entries();
        const auto count = std::count_if(entries, entries + zone_->header().used, listenedTo);
        assert_int_equal(count, model_.listeners.size());
        for (const auto& [hash, listeners] : model_.listeners) {
            assert_true(entries[listeners.entry].hash == hash);
            assert_true(entries[listeners.entry].listeners == setOf(listeners));
        }
    }

    // Another log takes over, or dies over it. Once this one is retired there is nothing but to try again.
    void takeOver() {
        const uint32_t entries = draw<uint32_t>(1, kMostEntries);
        const size_t capacity = Log::kMinCapacity + draw<size_t>(0, 3 * Log::kMinCapacity);
        auto next = std::make_shared<TestLog>(entries, capacity, now_, kOtherLineage);
        if (!performUntil(next->log, {.kind = Kind::TakeOver, .old = &zone_->log},
                          draw(0, 3) ? 0 : draw(1, 4095))) {
            recover(0);
            if (zone_->header().retired == 0) {
                return;
            }
            next = std::make_shared<TestLog>(entries, capacity, now_, kOtherLineage);
            performUntil(next->log, {.kind = Kind::TakeOver, .old = &zone_->log}, 0);
        }
        leaveBehind(*next);
        assert_true(next->log.lastId() == zone_->log.lastId());
        check();
        assert_true(append(zone_->log, "channel-0", "late").status == AppendStatus::Retired);
        check();
        zone_ = std::move(next);
        check();
    }

    // What the next log does not know: listeners, what is too large, and channels whose newest event is not
    // in this one.
    void leaveBehind(const TestLog& next) {
        std::set<uint64_t> recorded;
        for (const LoggedEvent& event : walk(zone_->log)) {
            const RecordHeader& record = event.header;
            recorded.insert(record.number);
            if (recordLength(record.nameLength, record.payloadLength) > next.log.maxRecord()) {
                model_.dropped.insert(record.number);
            }
        }
        std::map<std::string, uint64_t> newest;
        for (uint64_t number = 0; number < model_.events.size(); ++number) {
            newest[model_.events[number].channel] = number;
        }
        std::erase_if(exact_, [&](const std::string& name) {
            return newest.count(name) == 0 || recorded.count(newest[name]) == 0;
        });
        model_.listeners.clear();
        roomForAll_ = roomForAll_ && channels_ <= next.header().channels;
        exact_ = roomForAll_ ? exact_ : std::set<std::string>();
    }

    // --- Readers ---

    bool isExact(const std::set<std::string>& names) const {
        return std::includes(exact_.begin(), exact_.end(), names.begin(), names.end());
    }

    void replay() {
        const std::set<std::string> names{drawName(), drawName(), drawName()};
        Random random(input_.ConsumeIntegral<uint8_t>());
        const History history = drawHistory(model_, random);
        const EventId cursor = drawCursor();
        checkReplay(*zone_, model_, names, cursor, history, isExact(names), random);
    }

    // The reader that there is goes on, and if it is done another one comes.
    void read() {
        if (reader_ == nullptr || reader_->done()) {
            const std::set<std::string> names{drawName(), drawName()};
            const EventId cursor = drawCursor();
            reader_ = std::make_unique<Reader>(zone_, model_, names, cursor, isExact(names));
        }
        for (uint32_t steps = draw<uint32_t>(0, 20); steps > 0; --steps) {
            reader_->step();
        }
    }

    void check() const {
        const uint64_t evicted = zone_->log.stats().evicted;
        const bool holes = model_.dropped.lower_bound(evicted) != model_.dropped.end();
        checkZone(*zone_, holes);
        assert_int_equal(zone_->log.stats().published, model_.events.size());
    }

    // No committed event is lost: from the beginning, each channel has all that was not overwritten.
    void checkAllThereIs() {
        Random random(1);
        for (uint64_t i = 0; i < channels_; ++i) {
            checkReplay(*zone_, model_, {Model::name(i)}, Replay::kBeginning, {}, roomForAll_, random);
        }
    }

    FuzzedDataProvider& input_;
    uint64_t channels_;
    std::shared_ptr<TestLog> zone_;
    Model model_;
    std::unique_ptr<Reader> reader_;
    uint64_t now_ = kBirth;
    bool fits_ = true;            // the event that is appended
    bool isNew_ = true;           // and its id
    bool countsTrue_ = true;      // of subscribers
    bool roomForAll_;             // no channel was ever forgotten for want of an entry
    std::set<std::string> exact_; // nor these in a take-over: no gap of them may be told for nothing
};

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    setenv("CMOCKA_TEST_ABORT", "1", 1); // what the shared helpers assert is a finding
    faultHook = readAndDie;
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    Machine(input).run();
    return 0;
}
