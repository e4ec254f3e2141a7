// The key table: workers that come, go and die, streams that take seats and leave them, and kicks, in any
// order and cut off at any step. A model knows how many streams there are, and who has been kicked.
// build: -DSSE_FAULTS
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cmocka.hpp"
#include "keys/key_table.hpp"

using namespace sse;

namespace {

using Entry = KeyTable::Entry;

constexpr CountedScopes kAll = {true, true, true};
constexpr SipKey kKey = {1, 2};

std::set<int64_t> living;
jmp_buf death;
uint64_t stepsToLive; // 0: immortal

void dieInTime(const char*) {
    if (stepsToLive != 0 && --stepsToLive == 0) {
        longjmp(death, 1);
    }
}

bool isAlive(int64_t pid) noexcept {
    return living.count(pid) != 0;
}

// false: it has died.
[[gnu::noinline]] bool performs(uint64_t steps, const std::function<void()>& act) {
    stepsToLive = steps;
    if (setjmp(death) == 0) {
        act();
        stepsToLive = 0;
        return true;
    }
    return false;
}

struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
};

// Memory that is anything but zero.
struct Memory {
    std::unique_ptr<std::byte, Free> bytes;

    explicit Memory(size_t size)
        : bytes(static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64))) {
        std::fill_n(bytes.get(), size, std::byte{0xa5});
        assert_true(KeyTable::create({bytes.get(), size}, kKey));
        assert_true(KeyTable::isKnown(bytes.get()));
    }
    KeyMemory& header() const { return *reinterpret_cast<KeyMemory*>(bytes.get()); }
};

// Each slot that has been used is in the chain of its bucket, or free.
template <typename Slot>
void checkSlots(const SlotsHeader& header, const std::byte* place) {
    const auto* slots = reinterpret_cast<const Slot*>(place);
    const auto* buckets = reinterpret_cast<const uint32_t*>(slots + header.capacity);
    std::vector<int> seen(header.used);
    for (uint32_t bucket = 0; bucket < header.buckets; ++bucket) {
        for (uint32_t next = buckets[bucket]; next != 0; next = slots[next - 1].head.nextInBucket) {
            assert_true(next <= header.used);
            assert_int_equal(slots[next - 1].head.subject & (header.buckets - 1), bucket);
            assert_int_equal(seen[next - 1]++, 0);
        }
    }
    for (uint32_t next = header.free; next != 0; next = slots[next - 1].head.nextFree) {
        assert_true(next <= header.used);
        assert_int_equal(seen[next - 1]++, 0);
    }
    assert_true(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
    assert_int_equal(header.moving, 0);
}

void checkTable(const Memory& memory) {
    const KeyMemory& header = memory.header();
    const std::byte* seats = memory.bytes.get() + sizeof(KeyMemory);
    checkSlots<Seat>(header.seats, seats);
    const size_t length = header.seats.capacity * (sizeof(Seat) + sizeof(uint32_t));
    checkSlots<Ban>(header.bans, seats + (length + 7) / 8 * 8);
}

struct Stream {
    uint64_t key;
    uint64_t channel;
    std::vector<uint32_t> seats;
    uint64_t since;
};

struct Worker {
    KeyTable table;
    int64_t pid;
    uint32_t process;
    std::vector<Stream> streams{};
};

class World {
public:
    explicit World(uint32_t seed) : random_(seed) { living.clear(); }

    uint64_t below(uint64_t limit) { return random_() % limit; }
    size_t size() const { return workers_.size(); }

    void start() {
        Worker worker{KeyTable(memory_.bytes.get(), isAlive), ++lastPid_, 0};
        while (std::any_of(workers_.begin(), workers_.end(),
                           [&](const Worker& other) { return other.process == worker.process; })) {
            ++worker.process;
        }
        living.insert(worker.pid);
        workers_.push_back(std::move(worker));
        Worker& me = workers_.back();
        perform(me, [&] { me.table.beginLife(me.process, me.pid); });
    }

    void step() {
        now_ += below(3);
        Worker& me = workers_[below(size())];
        switch (below(8)) {
        case 0:
            return kick(me);
        case 1:
            return lookAtStreams(me);
        case 2:
        case 3:
        case 4:
            return leave(me);
        default:
            return enter(me);
        }
    }

    void killSome() { kill(workers_[below(size())]); }

    // What everybody can see, once nobody is in the middle of something.
    void check() {
        Worker& me = workers_.front();
        assert_true(performs(0, [&] {
            me.table.giveBack(0); // which recovers
            me.table.buryDead();
        }));
        checkTable(memory_);
        for (uint64_t name = 1; name <= kNames; ++name) {
            assert_int_equal(me.table.streams(me.table.subjectOf(Scope::Key, {kZone, name, {}})),
                             count([name](const Stream& stream) { return stream.key == name; }));
            assert_int_equal(me.table.streams(me.table.subjectOf(Scope::Channel, {kZone, 0, {}}, name)),
                             count([name](const Stream& stream) { return stream.channel == name; }));
        }
        assert_int_equal(me.table.streams(me.table.subjectOf(Scope::Zone, {kZone, 0, {}})),
                         count([](const Stream&) { return true; }));
    }

private:
    static constexpr uint64_t kZone = 77;
    static constexpr uint64_t kNames = 5;
    static constexpr StreamLimits kLimits = {30, 12, 4};

    // A kick of a key, a channel or both, by their numbers; 0: not that.
    using Target = std::pair<uint64_t, uint64_t>;
    struct Kick {
        uint64_t number;
        uint64_t until;
        bool isCertain; // not by a worker that died meanwhile
    };

    size_t count(const std::function<bool(const Stream&)>& matches) const {
        size_t streams = 0;
        for (const Worker& worker : workers_) {
            streams +=
                static_cast<size_t>(std::count_if(worker.streams.begin(), worker.streams.end(), matches));
        }
        return streams;
    }

    // Whether some kick of it matches, as far as that is certain, and whether one may.
    template <typename F>
    std::pair<bool, bool> isKicked(uint64_t key, uint64_t channel, F&& matches) const {
        bool certain = false;
        bool possible = false;
        for (const Target& target : {Target{key, 0}, Target{0, channel}, Target{key, channel}}) {
            const auto found = kicks_.find(target);
            for (const Kick& kick : found == kicks_.end() ? std::vector<Kick>() : found->second) {
                certain = certain || (kick.isCertain && matches(kick));
                possible = possible || matches(kick);
            }
            // One that may or may not have taken the place of the last makes it uncertain, too.
            if (found != kicks_.end() && !found->second.back().isCertain) {
                certain = false;
                possible = true;
            }
        }
        return {certain, possible};
    }

    void enter(Worker& me) {
        Stream stream{1 + below(kNames), 1 + below(kNames), {}, 0};
        uint32_t seats[3];
        KeyTable::Admission admission{};
        if (below(4) == 0) {
            stream.key = 0;
        }
        const bool isFull =
            count([](const Stream&) { return true; }) >= kLimits[0] ||
            count([&](const Stream& other) { return other.channel == stream.channel; }) >= kLimits[1] ||
            (stream.key != 0 &&
             count([&](const Stream& other) { return other.key == stream.key; }) >= kLimits[2]);
        const auto [kicked, mayBe] =
            isKicked(stream.key, stream.channel, [this](const Kick& kick) { return kick.until > now_; });
        if (!perform(me, [&] {
                admission =
                    me.table.admit({kZone, stream.key, {&stream.channel, 1}}, kLimits, kAll, now_, seats);
            })) {
            return;
        }
        switch (admission.entry) {
        case Entry::Ok:
            assert_false(isFull);
            assert_false(kicked);
            stream.seats.assign(seats, seats + admission.seats);
            stream.since = admission.lastKick;
            me.streams.push_back(stream);
            break;
        case Entry::Kicked:
            assert_true(mayBe);
            break;
        case Entry::Full:
            assert_true(isFull);
            assert_false(kicked);
            break;
        case Entry::NoRoom:
            fail();
        }
    }

    void leave(Worker& me) {
        if (me.streams.empty()) {
            return;
        }
        std::swap(me.streams[below(me.streams.size())], me.streams.back());
        const Stream stream = me.streams.back();
        me.streams.pop_back();
        for (uint32_t seat : stream.seats) {
            const bool wasLast = me.table.leave(seat);
            // Not always: as if the lock were not to be had.
            if (wasLast && below(2) == 0 && !perform(me, [&] { me.table.giveBack(seat); })) {
                return;
            }
        }
    }

    void kick(Worker& me) {
        const Target target{below(kNames + 1), below(3) == 0 ? 1 + below(kNames) : 0};
        if (target == Target{0, 0}) {
            return;
        }
        const uint64_t until = now_ + below(40);
        const uint64_t channel = target.second;
        const std::span<const uint64_t> channels(&channel, channel == 0 ? 0 : 1);
        bool hasRoom = true;
        const bool isCertain = perform(me, [&] {
            hasRoom = me.table.kick({kZone, target.first, channels}, until, now_);
        });
        assert_true(hasRoom);
        std::vector<Kick>& kicks = kicks_[target];
        if (isCertain) { // those before it count no more, but for streams that have not been looked at
            for (Kick& before : kicks) {
                before.until = 0;
            }
        }
        kicks.push_back({lastKick(), until, isCertain});
    }

    uint64_t lastKick() const { return memory_.header().lastKick.load(); }

    void lookAtStreams(Worker& me) {
        const uint64_t last = me.table.lastKick();
        for (size_t i = 0; i < me.streams.size();) {
            Stream& stream = me.streams[i];
            const auto [hit, mayBe] = isKicked(stream.key, stream.channel, [&stream](const Kick& kick) {
                return kick.number > stream.since;
            });
            const bool isHit = me.table.isHitSince({kZone, stream.key, {&stream.channel, 1}}, stream.since);
            assert_true(isHit ? mayBe : !hit);
            if (!isHit) {
                ++i;
                continue;
            }
            for (uint32_t seat : stream.seats) {
                me.table.leave(seat);
            }
            me.streams.erase(me.streams.begin() + static_cast<ptrdiff_t>(i));
        }
        me.table.noteKick(last);
    }

    template <typename F>
    bool perform(Worker& me, F&& act) {
        if (performs(below(20) == 0 ? 1 + below(12) : 0, act)) {
            return true;
        }
        kill(me);
        return false;
    }

    void kill(Worker& me) {
        living.erase(me.pid);
        workers_.erase(workers_.begin() + (&me - workers_.data()));
        if (workers_.empty()) {
            start();
        }
    }

    std::mt19937 random_;
    Memory memory_{sizeof(KeyMemory) + 16 * 1024};
    std::vector<Worker> workers_;
    std::map<Target, std::vector<Kick>> kicks_;
    int64_t lastPid_ = 100;
    uint64_t now_ = 1;
};

void testAnyOrder(void**) {
    for (uint32_t seed = 1; seed <= 300; ++seed) {
        World world(seed);
        world.start();
        for (int i = 0; i < 600; ++i) {
            if (world.size() < 4 && world.below(10) == 0) {
                world.start();
            } else if (world.below(60) == 0) {
                world.killSome();
            } else {
                world.step();
            }
            if (i % 20 == 0) {
                world.check();
            }
        }
        world.check();
    }
}

KeyTable worker(const Memory& memory, uint32_t process, int64_t pid) {
    living.insert(pid);
    KeyTable table(memory.bytes.get(), isAlive);
    table.beginLife(process, pid);
    return table;
}

void testTooSmall(void**) {
    alignas(64) static std::byte bytes[sizeof(KeyMemory) + 100];
    assert_false(KeyTable::create({bytes, sizeof(bytes)}, kKey));
    assert_false(KeyTable::isKnown(bytes));
}

// As many keys as there is room for; more are refused, and there is room again when they have gone, or their
// worker has died.
void testManyKeys(void**) {
    const Memory memory(sizeof(KeyMemory) + 64 * 1024);
    const CountedScopes byKey = {false, false, true};
    for (int round = 0; round < 3; ++round) {
        KeyTable table = worker(memory, 0, 10 + round);
        std::vector<uint32_t> seats;
        uint32_t seat;
        uint64_t key = 1;
        while (table.admit({1, key, {}}, {}, byKey, 1, {&seat, 1}).entry == Entry::Ok) {
            seats.push_back(seat);
            ++key;
        }
        assert_true(seats.size() > memory.header().seats.capacity * 7 / 8 - 8);
        assert_true(round != 0 || seats.size() == memory.header().seats.capacity);
        assert_true(table.admit({1, 1, {}}, {}, byKey, 1, {&seat, 1}).entry == Entry::Ok);
        assert_true(table.kick({1, key, {}}, 5, 1)); // which takes no seat
        // Those that have come and gone leave nothing, with the lock or without.
        for (uint32_t taken : seats) {
            if (table.leave(taken) && round == 1) {
                table.giveBack(taken);
            }
        }
        for (uint64_t other = 1; other < 20'000; ++other) {
            assert_true(table.admit({2, other, {}}, {}, byKey, 1, {&seat, 1}).entry == Entry::Ok);
            table.leave(seat);
        }
        if (round != 0) { // dies with all seats taken once more
            for (key = 1; table.admit({1, key, {}}, {}, byKey, 1, {&seat, 1}).entry == Entry::Ok;) {
                ++key;
            }
        }
        living.erase(10 + round);
    }
    checkTable(memory);
}

// The room for kicks is used again when they are over, and all workers have looked at their streams.
void testManyKicks(void**) {
    const Memory memory(sizeof(KeyMemory) + 64 * 1024);
    KeyTable one = worker(memory, 0, 20);
    KeyTable other = worker(memory, 1, 21);
    const uint32_t capacity = memory.header().bans.capacity;
    uint64_t key = 1;
    auto kicks = [&](uint64_t until, uint64_t now) {
        uint32_t count = 0;
        while (count < 2 * capacity && one.kick({1, key, {}}, until, now)) {
            ++count;
            ++key;
            one.noteKick(one.lastKick());
        }
        return count;
    };
    assert_int_equal(kicks(100, 1), capacity);
    assert_int_equal(kicks(200, 100), 0); // the other worker has not seen any
    assert_true(one.isHitSince({1, 1, {}}, 0));
    other.noteKick(other.lastKick());
    assert_int_equal(kicks(200, 99), 0); // they are not over
    assert_true(kicks(200, 100) > capacity * 3 / 4);
    other.noteKick(other.lastKick());
    assert_true(kicks(300, 300) > capacity * 3 / 4);
    assert_int_equal(kicks(400, 400), 0); // again it has not seen those
    living.erase(21);
    assert_int_equal(kicks(400, 400), 2 * capacity); // nobody waits for the dead
    checkTable(memory);
}

void testScopes(void**) {
    const Memory memory(sizeof(KeyMemory) + 64 * 1024);
    KeyTable table = worker(memory, 0, 30);
    const uint64_t a = table.hash("a");
    const uint64_t b = table.hash("b");
    const uint64_t both[] = {a, b};
    uint32_t seats[4];
    auto enters = [&](const Identity& who, const StreamLimits& limits) {
        return table.admit(who, limits, kAll, 10, seats);
    };
    assert_int_equal(enters({1, a, both}, {}).seats, 4);
    assert_int_equal(enters({1, 0, {both, 1}}, {}).seats, 2);
    // A key is no channel of the same name, and nothing in one zone counts in another.
    assert_true(enters({1, b, {both + 1, 1}}, {0, 0, 1}).entry == Entry::Ok);
    assert_true(enters({2, a, both}, {1, 1, 1}).entry == Entry::Ok);
    assert_true(enters({1, a, {}}, {0, 0, 1}).full == Scope::Key);
    assert_true(enters({1, 0, {both, 1}}, {0, 2, 0}).full == Scope::Channel);
    assert_true(enters({1, 0, both}, {0, 3, 0}).entry == Entry::Ok);
    assert_true(enters({1, 0, {}}, {4, 0, 0}).full == Scope::Zone);

    auto kicked = [&](const Identity& who) { return enters(who, {}).entry == Entry::Kicked; };
    assert_true(table.kick({1, a, {both + 1, 1}}, 20, 10)); // in b
    assert_true(kicked({1, a, both}) && kicked({1, a, {both + 1, 1}}));
    assert_false(kicked({1, a, {both, 1}}) || kicked({1, b, both}) || kicked({1, 0, both}) ||
                 kicked({2, a, both}));
    assert_true(table.kick({1, 0, {both, 1}}, 20, 10)); // a
    assert_true(kicked({1, 0, {both, 1}}) && kicked({1, b, both}));
    assert_false(kicked({1, a, {}}) || kicked({1, 0, {both + 1, 1}}));
    assert_true(table.kick({1, b, {}}, 20, 10));
    assert_true(kicked({1, b, {}}) && kicked({1, b, {both + 1, 1}}));
    assert_true(table.kick({1, b, {}}, 10, 10)); // the last one counts
    assert_false(kicked({1, b, {}}));
}

int setUp(void**) {
    faultHook = dieInTime;
    return 0;
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testAnyOrder),  cmocka_unit_test(testTooSmall), cmocka_unit_test(testManyKeys),
        cmocka_unit_test(testManyKicks), cmocka_unit_test(testScopes),
    };
    return cmocka_run_group_tests_name("key table", tests, setUp, nullptr);
}
