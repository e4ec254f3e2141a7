// The roster: workers that come, go, die, share listener ids and change them, in any order and cut off at any
// step.
// build: -DSSE_FAULTS
#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "cmocka.hpp"
#include "log/fault.hpp"
#include "roster/roster.hpp"

using namespace sse;

namespace {

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

constexpr size_t kChannels = 12;

struct Worker {
    Roster roster;
    int64_t pid;
    int64_t slot;
    bool leaving = false;
    uint32_t subscribers[kChannels] = {};

    // What it is in the middle of: nothing, clearing `left` away, or changing its listener id to `next`; and
    // how many channels of that it has behind it.
    enum class Doing { Nothing, Clearing, Changing } doing = Doing::Nothing;
    Roster::LeftBehind left{};
    uint32_t next = kMaxListeners;
    size_t channel = 0;
};

class World {
public:
    explicit World(uint32_t seed) : random_(seed), memory_(std::make_unique<RosterMemory>()) {}

    size_t size() const { return workers_.size(); }
    uint64_t below(uint64_t limit) { return random_() % limit; }

    void start() {
        auto worker = std::make_unique<Worker>();
        worker->pid = ++lastPid_;
        for (worker->slot = 0; slots_.count(worker->slot) != 0;) {
            ++worker->slot;
        }
        worker->roster = Roster(*memory_, {worker->pid, worker->slot, isAlive});
        living.insert(worker->pid);
        slots_.insert(worker->slot);
        workers_.push_back(std::move(worker));
        Worker& me = *workers_.back();
        perform(me, [&me] {
            me.left = me.roster.claim();
            me.doing = Worker::Doing::Clearing;
            me.channel = 0;
        });
    }

    // One step of one worker. Calls on the roster are cut off by death now and then, if `deadly`.
    void step(bool deadly) {
        deadly_ = deadly;
        Worker& me = *workers_[below(size())];
        switch (me.doing) {
        case Worker::Doing::Clearing:
            return clear(me);
        case Worker::Doing::Changing:
            return change(me);
        case Worker::Doing::Nothing:
            break;
        }
        switch (below(4)) {
        case 0:
            return subscribe(me);
        case 1:
            return unsubscribe(me);
        default:
            return poll(me);
        }
    }

    void kill(size_t number) {
        Worker& me = *workers_[number];
        living.erase(me.pid);
        slots_.erase(me.slot);
        workers_.erase(workers_.begin() + static_cast<ptrdiff_t>(number));
    }
    void killSome() { kill(below(size())); }

    void leaveSome() { workers_[below(size())]->leaving = true; }

    bool anyLeaves() const {
        return std::any_of(workers_.begin(), workers_.end(),
                           [](const auto& worker) { return worker->leaving; });
    }

    // One that is leaving, and has finished what it did. false: there is none.
    bool endOne() {
        for (size_t i = 0; i < size(); ++i) {
            Worker& me = *workers_[i];
            if (me.leaving && me.doing == Worker::Doing::Nothing) {
                for (size_t channel = 0; channel < kChannels; ++channel) {
                    drop(me, channel);
                }
                me.roster.release();
                kill(i);
                return true;
            }
        }
        return false;
    }

    // Everybody is known, once; who listens is in the index; and everybody is counted in one place.
    void check() const {
        std::set<uint32_t> taken;
        uint64_t counted = 0;
        uint64_t subscribers = 0;
        for (const auto& worker : workers_) {
            const Roster& roster = worker->roster;
            assert_true(roster.hasEntry() && taken.insert(roster.index()).second);
            assert_int_equal(roster.at(roster.index()).pid.load(), worker->pid);
            assert_true(roster.isWorker(roster.index()));
            assert_true(Roster::isShared(roster.listenerId()) == (roster.index() >= kMaxListeners));
            for (size_t channel = 0; channel < kChannels; ++channel) {
                subscribers += worker->subscribers[channel];
                assert_true(worker->subscribers[channel] == 0 ||
                            listening_[channel].count(roster.listenerId()) != 0);
            }
        }
        const Roster roster(*memory_, {0, -1, isAlive});
        for (uint32_t i = 0; i < roster.entryCount(); ++i) {
            if (roster.isWorker(i)) {
                assert_true(taken.count(i) != 0);
                counted += roster.at(i).subscribers.load();
            }
        }
        assert_int_equal(counted, subscribers);
    }

    uint32_t turns() const { return memory_->turn.load(); }

    size_t listeners() const {
        size_t sum = 0;
        for (const auto& ids : listening_) {
            sum += ids.size();
        }
        return sum;
    }
    size_t liveChannels() const {
        size_t sum = 0;
        for (const auto& worker : workers_) {
            for (uint32_t subscribers : worker->subscribers) {
                sum += subscribers != 0;
            }
        }
        return sum;
    }
    size_t sharing() const {
        size_t sum = 0;
        for (const auto& worker : workers_) {
            sum += Roster::isShared(worker->roster.listenerId());
        }
        return sum;
    }
    // Whether waking the listeners of the channel reaches all that listen.
    bool reaches(size_t channel) const {
        ListenerSet set{};
        for (uint32_t id : listening_[channel]) {
            set[id / 64] |= uint64_t{1} << id % 64;
        }
        std::set<uint32_t> woken;
        workers_.front()->roster.eachWorkerOf(set, [&woken](uint32_t index) { woken.insert(index); });
        for (const auto& worker : workers_) {
            if (worker->subscribers[channel] != 0 && woken.count(worker->roster.index()) == 0) {
                return false;
            }
        }
        return true;
    }

    bool crowded = false;
    uint64_t now = 0;

private:
    // A call on the roster, with its lock held. false: it was the end.
    template <typename F>
    bool perform(Worker& me, F&& call) {
        stepsToLive = deadly_ && below(10) == 0 ? 1 + below(8) : 0;
        if (setjmp(death) == 0) {
            call();
            stepsToLive = 0;
            return true;
        }
        for (size_t i = 0; i < size(); ++i) {
            if (workers_[i].get() == &me) {
                kill(i);
                break;
            }
        }
        return false;
    }

    void clear(Worker& me) {
        if (me.channel < kChannels) {
            for (uint32_t id = 0; id < kMaxListeners; ++id) {
                if (me.left.has(id)) {
                    forget(me.channel, id);
                }
            }
            ++me.channel;
        } else if (perform(me, [&me] { me.roster.cleared(me.left); })) {
            me.doing = Worker::Doing::Nothing;
        }
    }

    void forget(size_t channel, uint32_t id) {
        for (const auto& worker : workers_) {
            assert_false(worker->roster.listenerId() == id && worker->subscribers[channel] != 0);
            assert_false(worker->doing == Worker::Doing::Changing && worker->next == id);
        }
        listening_[channel].erase(id);
    }

    void change(Worker& me) {
        if (me.channel < kChannels) {
            if (me.subscribers[me.channel] != 0) {
                listening_[me.channel].insert(me.next);
            }
            ++me.channel;
        } else if (perform(me, [&me] { me.roster.finishChange(); })) {
            me.doing = Worker::Doing::Nothing;
        }
    }

    void subscribe(Worker& me) {
        if (me.leaving) {
            return;
        }
        const size_t channel = below(kChannels);
        listening_[channel].insert(me.roster.listenerId());
        ++me.subscribers[channel];
        me.roster.at(me.roster.index()).subscribers.fetch_add(1);
    }

    void unsubscribe(Worker& me) { drop(me, below(kChannels)); }

    void drop(Worker& me, size_t channel) {
        me.roster.at(me.roster.index()).subscribers.fetch_sub(me.subscribers[channel]);
        if (me.subscribers[channel] != 0 && !Roster::isShared(me.roster.listenerId())) {
            listening_[channel].erase(me.roster.listenerId());
        }
        me.subscribers[channel] = 0;
    }

    void poll(Worker& me) {
        bool alive = true;
        if (!me.leaving) {
            alive = perform(me, [this, &me] {
                me.left = me.roster.takeLeftBehind();
                me.roster.turnOver(crowded, now);
            });
        }
        if (alive && !me.leaving && me.left.listenerIds != ListenerSet{}) {
            me.doing = Worker::Doing::Clearing;
            me.channel = 0;
        } else if (alive) {
            alive = perform(me, [&me] { me.next = me.roster.beginChange(!me.leaving); });
            if (alive && me.next != kMaxListeners) {
                me.doing = Worker::Doing::Changing;
                me.channel = 0;
            }
        }
    }

    std::mt19937 random_;
    std::unique_ptr<RosterMemory> memory_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::set<int64_t> slots_;
    std::set<uint32_t> listening_[kChannels];
    int64_t lastPid_ = 0;
    bool deadly_ = false;
};

int reset(void**) {
    living.clear();
    faultHook = dieInTime;
    return 0;
}

void run(World& world, int steps) {
    for (int i = 0; i < steps; ++i) {
        ++world.now;
        world.step(false);
        if (i % 20 == 0) {
            world.check();
        }
    }
    world.check();
}

void everybodyHasAPlace(void**) {
    World world(1);
    for (uint32_t i = 0; i < 1024; ++i) {
        world.start();
    }
    world.check();
    assert_int_equal(world.sharing(), 1024 - Roster::kExclusiveIds);
}

void aPlaceIsTakenOver(void**) {
    World world(5);
    for (uint32_t i = 0; i < Roster::kExclusiveIds; ++i) {
        world.start();
    }
    world.kill(77);
    world.start();
    assert_int_equal(world.sharing(), 0);
    world.start();
    assert_int_equal(world.sharing(), 1);
    world.check();
}

// A roster of so many, under the pids from 1 on.
std::vector<Roster> makeRosters(RosterMemory& memory, uint32_t count) {
    std::vector<Roster> rosters;
    for (uint32_t i = 0; i < count; ++i) {
        rosters.emplace_back(memory, Roster::Process{i + 1, i, isAlive});
        living.insert(i + 1);
        assert_false(rosters.back().claim().counts);
    }
    return rosters;
}

[[gnu::noinline]] bool takeUntil(Roster& roster, uint64_t step) {
    stepsToLive = step;
    if (setjmp(death) == 0) {
        roster.takeLeftBehind();
        stepsToLive = 0;
        return true;
    }
    return false;
}

// Who first had the id that is to be cleared is still alive; who is about to clear it dies at each step.
void deathOverASharedId(void**) {
    uint64_t step = 0;
    for (bool done = false; !done;) {
        auto memory = std::make_unique<RosterMemory>();
        std::vector<Roster> rosters = makeRosters(*memory, Roster::kExclusiveIds + 1);
        Roster& sharing = rosters.back();
        const uint32_t id = sharing.listenerId();
        assert_true(Roster::isShared(id));
        rosters[3].release();
        assert_int_equal(sharing.beginChange(true), 3);
        sharing.finishChange();
        rosters[0].turnOver(false, 0);

        done = takeUntil(rosters[1], ++step);
        living.erase(2);
        const Roster::LeftBehind left = rosters[2].takeLeftBehind();
        assert_true(left.has(id) && left.has(1) && left.counts);
    }
    assert_in_range(step, 3, 100);
}

[[gnu::noinline]] bool claimUntil(Roster& roster, uint64_t step) {
    stepsToLive = step;
    if (setjmp(death) == 0) {
        roster.claim();
        stepsToLive = 0;
        return true;
    }
    return false;
}

// A worker that shared its listener id is dead, and its successor dies at each step of coming: somebody is
// told that the counts are void.
void deathInAClaim(void**) {
    uint64_t step = 0;
    for (bool done = false; !done;) {
        auto memory = std::make_unique<RosterMemory>();
        std::vector<Roster> rosters = makeRosters(*memory, Roster::kExclusiveIds + 2);
        const int64_t dead = Roster::kExclusiveIds + 1;
        living.erase(dead);
        const int64_t pid = 1000;
        living.insert(pid);
        Roster successor(*memory, Roster::Process{pid, dead - 1, isAlive});
        done = claimUntil(successor, ++step);
        living.erase(pid);
        if (!rosters[2].takeLeftBehind().counts) {
            print_message("step %u: nobody is told\n", static_cast<unsigned>(step));
            fail();
        }
    }
}

void countsOfTheDeadAreVoid(void**) {
    auto memory = std::make_unique<RosterMemory>();
    std::vector<Roster> rosters = makeRosters(*memory, Roster::kExclusiveIds + 2);
    living.erase(Roster::kExclusiveIds + 1);
    assert_true(rosters[0].someLeftBehind());
    Roster::LeftBehind left = rosters[0].takeLeftBehind();
    assert_true(left.counts && left.listenerIds == ListenerSet{});
    assert_false(rosters[0].someLeftBehind());

    living.erase(5);
    left = rosters[0].takeLeftBehind();
    assert_true(left.counts && left.has(4));
    rosters[0].cleared(left);

    rosters.back().beginChange(true);
    rosters.back().finishChange();
    rosters[0].turnOver(false, 0);
    left = rosters[0].takeLeftBehind();
    assert_false(left.counts);
    assert_true(left.listenerIds != ListenerSet{});
}

// Those who are left move to exclusive ids, and what they shared is cleared.
void sharedIdsAreGivenBack(void**) {
    World world(2);
    for (int i = 0; i < 150; ++i) {
        world.start();
    }
    run(world, 50'000);
    assert_int_equal(world.sharing(), 150 - Roster::kExclusiveIds);
    while (world.size() > 100) {
        world.kill(0);
    }
    run(world, 50'000);
    assert_int_equal(world.sharing(), 0);
    assert_int_equal(world.listeners(), world.liveChannels());
}

// Also while they are needed.
void sharedIdsTakeTurns(void**) {
    World world(3);
    for (int i = 0; i < 140; ++i) {
        world.start();
    }
    for (int round = 0; round < 20; ++round) {
        run(world, 5000);
        for (size_t channel = 0; channel < kChannels; ++channel) {
            assert_true(world.reaches(channel));
        }
        world.crowded = true;
    }
    assert_in_range(world.turns(), 5, 20);
}

void anythingInAnyOrder(void**) {
    for (uint32_t seed = 0; seed < 6; ++seed) {
        reset(nullptr);
        World world(seed);
        for (int i = 0; i < 120; ++i) {
            world.start();
        }
        for (int i = 0; i < 30'000; ++i) {
            ++world.now;
            world.crowded = world.below(100) != 0;
            world.step(true);
            switch (world.below(40)) {
            case 0:
                world.killSome();
                break;
            case 1:
                world.leaveSome();
                break;
            case 2:
                world.endOne();
                break;
            default:
                break;
            }
            const size_t wanted =
                110 + i / 500 % 3 * (10 + 3 * seed); // more and fewer than there are listener ids for
            while (world.size() < wanted) {
                world.start();
            }
            while (world.size() > wanted) {
                world.killSome();
            }
            if (i % 20 == 0) {
                world.check();
            }
        }
        while (world.size() > 100) {
            world.kill(0);
        }
        for (int i = 0; i < 10; ++i) {
            world.start(); // for all of the others may be leaving
        }
        run(world, 100'000);
        while (world.anyLeaves()) {
            world.endOne();
            world.step(false);
        }
        run(world, 50'000);
        assert_int_equal(world.sharing(), 0);
        assert_int_equal(world.listeners(), world.liveChannels());
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test_setup(everybodyHasAPlace, reset),
        cmocka_unit_test_setup(aPlaceIsTakenOver, reset),
        cmocka_unit_test_setup(deathOverASharedId, reset),
        cmocka_unit_test_setup(deathInAClaim, reset),
        cmocka_unit_test_setup(countsOfTheDeadAreVoid, reset),
        cmocka_unit_test_setup(sharedIdsAreGivenBack, reset),
        cmocka_unit_test_setup(sharedIdsTakeTurns, reset),
        cmocka_unit_test_setup(anythingInAnyOrder, reset),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
