// What becomes of commands: a Redis that executes some of them, loses connections, refuses and delays,
// against what the orders are told.
#include "bus/flight.hpp"

#include "bus/reply.hpp"

#include <charconv>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cmocka.hpp"

using namespace sse;

namespace {

constexpr uint64_t kTimeout = 50;

struct Entry {
    StreamId id;
    uint64_t number;
};

struct Reply_ {
    bool isRefused;
    StreamId id;
    bool isWait;
};

// One that executes what has come to it, in order. Commands are "<number> " for an entry, and "w " for a
// wait.
class Server {
public:
    void receive(std::string_view bytes) {
        for (size_t end; (end = bytes.find(' ')) != std::string_view::npos; bytes.remove_prefix(end + 1)) {
            held_.emplace_back(bytes.substr(0, end));
        }
    }
    bool execute(bool refuses) {
        if (held_.empty()) {
            return false;
        }
        const std::string command = held_.front();
        held_.pop_front();
        if (command == "w") {
            replies.push_back({false, {}, true});
        } else if (refuses) {
            replies.push_back({true, {}, false});
        } else {
            stream.push_back({{1, ++lastSequence_}, std::stoull(command)});
            replies.push_back({false, stream.back().id, false});
        }
        return true;
    }
    // CLIENT KILL of the connection.
    void kill() { held_.clear(); }
    // Without it, what it holds is executed some time.
    void executeAll() {
        while (execute(false)) {
        }
        replies.clear();
    }
    // A failover to a replica that lacks the last entries.
    void loseWrites(size_t count) { stream.resize(stream.size() - std::min(count, stream.size())); }

    std::vector<Entry> stream;
    std::deque<Reply_> replies;

private:
    std::deque<std::string> held_;
    uint64_t lastSequence_ = 0;
};

struct Publisher {
    explicit Publisher(Flight& flight)
        : order(flight, this, [](void* self) noexcept { static_cast<Publisher*>(self)->isTold = true; }) {}

    Order order;
    bool isTold = false;
    std::vector<uint64_t> numbers;
    std::set<uint64_t> parts; // those of them that are copies which others follow
};

class World {
public:
    struct Options {
        bool waits = false;
        bool mayKill = true;
        bool refuses = false;
        bool losesWrites = false;
    };

    World(uint32_t seed, const Options& options)
        : random_(seed), options_(options), flight_(this, [](void*) noexcept {}) {}

    void run() {
        for (int step = 0; step < 3000; ++step) {
            this->step();
        }
        // In the end everything is known.
        for (int i = 0; i < 3; ++i) {
            now_ += kTimeout + 1;
            flight_.expire(now_);
        }
        while (flight_.progress()) {
        }
        for (const auto& publisher : publishers_) {
            assert_true(publisher->order.isOver());
            check(*publisher);
        }
        checkStream();
        lose();
        flight_.failQueued();
        connect();
        flight_.failQueued();
        assert_true(flight_.isEmpty());
        assert_int_equal(flight_.size(), 0);
    }

private:
    uint32_t draw(uint32_t count) { return random_() % count; }

    void step() {
        ++now_;
        switch (draw(20)) {
        case 0:
        case 1:
        case 2:
        case 3:
            return submit();
        case 4:
        case 5:
        case 6:
            return send();
        case 7:
        case 8:
        case 9:
        case 10:
            server_.execute(options_.refuses && draw(5) == 0);
            return;
        case 11:
        case 12:
        case 13:
        case 14:
        case 15:
            return reply();
        case 16:
            if (draw(10) == 0) {
                lose();
            }
            return;
        case 17:
            if (!isConnected_) {
                connect();
            }
            return;
        case 18:
            return flight_.expire(now_);
        default:
            if (!isConnected_ && draw(4) == 0) {
                flight_.failQueued();
            }
            if (draw(8) == 0) {
                detachOne();
            }
            if (draw(40) == 0) {
                now_ += kTimeout;
            }
            flight_.progress();
            return;
        }
    }

    void submit() {
        if (publishers_.empty() || draw(3) == 0) {
            publishers_.push_back(std::make_unique<Publisher>(flight_));
        }
        // Most go on with the newest.
        const size_t back = std::min<size_t>(draw(4), publishers_.size() - 1);
        Publisher& publisher = *publishers_[publishers_.size() - 1 - back];
        if (publisher.order.failure() != Failure::None || detached_.contains(&publisher)) {
            return;
        }
        for (uint32_t copies = 1 + draw(2); copies-- != 0;) {
            const uint64_t number = flight_.next();
            assert_true(flight_.draft().append(std::to_string(number) + " "));
            assert_true(flight_.add({.isPart = copies != 0,
                                     .events = copies != 0 ? 0U : 1U,
                                     .order = &publisher.order,
                                     .due = now_ + kTimeout}));
            publisher.numbers.push_back(number);
            if (copies != 0) {
                publisher.parts.insert(number);
            }
        }
        if (draw(2) == 0) {
            publisher.isTold = false;
            publisher.order.wait(draw(2) == 0 ? Order::Wish::Room : Order::Wish::Over);
        }
    }

    void send() {
        if (!isConnected_ || !flight_.hasQueued() || flight_.isWaiting()) {
            return;
        }
        if (options_.waits && flight_.hasQueuedWrites()) {
            assert_true(flight_.draft().append("w "));
            assert_true(flight_.add({.kind = Flight::Kind::Wait, .due = now_ + kTimeout}));
        }
        Buffer out;
        assert_true(flight_.send(out));
        server_.receive(out.view());
    }

    void reply() {
        if (!isConnected_ || server_.replies.empty()) {
            return;
        }
        const Reply_ reply = server_.replies.front();
        server_.replies.pop_front();
        const uint64_t number = flight_.awaited();
        assert_true(number != Flight::kNone);
        if (reply.isWait) {
            assert_true(flight_.command(number).kind == Flight::Kind::Wait);
            since_ = accepted_;
            flight_.confirm(number, 1);
        } else if (reply.isRefused) {
            flight_.refuse(number, Failure::Refused);
        } else {
            accepted_ = reply.id;
            since_ = options_.waits ? since_ : reply.id;
            flight_.accept(number, reply.id, options_.waits);
        }
    }

    void lose() {
        isConnected_ = false;
        server_.replies.clear();
        flight_.lose();
        if (options_.losesWrites && draw(2) == 0) {
            server_.kill();
            server_.loseWrites(draw(6));
            hasLost_ = true;
        }
    }

    void connect() {
        isConnected_ = true;
        server_.replies.clear(); // of what ran on the old connection
        const bool mayRepeat = options_.mayKill && draw(4) != 0;
        if (mayRepeat) {
            server_.kill();
        }
        for (const Entry& entry : server_.stream) {
            if (entry.id > since_) {
                flight_.find(entry.number, entry.id);
            }
        }
        if (!flight_.endSearch(mayRepeat, options_.waits)) {
            since_ = server_.stream.empty() ? StreamId{} : server_.stream.back().id;
        } else { // a write, for which replicas can be asked
            assert_true(flight_.draft().append(std::to_string(flight_.next()) + " "));
            assert_true(flight_.add({.due = now_ + kTimeout}));
        }
        if (!mayRepeat) {
            server_.executeAll();
        }
    }

    void detachOne() {
        if (!publishers_.empty()) {
            Publisher& publisher = *publishers_[draw(static_cast<uint32_t>(publishers_.size()))];
            publisher.order.detach();
            assert_true(publisher.order.isOver());
            detached_.insert(&publisher);
        }
    }

    void check(const Publisher& publisher) {
        if (hasLost_) { // what was acknowledged may be gone
            return;
        }
        std::set<uint64_t> there;
        for (const Entry& entry : server_.stream) {
            there.insert(entry.number);
        }
        // The first events of the order are there.
        uint64_t events = publisher.order.events();
        size_t found = 0;
        for (uint64_t number : publisher.numbers) {
            if (events == 0) {
                break;
            }
            assert_true(there.contains(number));
            ++found;
            events -= publisher.parts.contains(number) ? 0 : 1;
        }
        assert_int_equal(events, 0);
        if (detached_.contains(&publisher)) {
            return;
        }
        size_t all = 0;
        for (uint64_t number : publisher.numbers) {
            all += there.contains(number) ? 1 : 0;
        }
        switch (publisher.order.failure()) {
        case Failure::None:
            assert_int_equal(all, publisher.numbers.size());
            assert_int_equal(found, all);
            break;
        case Failure::Away:
        case Failure::Refused:
            assert_int_equal(all, found);
            break;
        case Failure::Unknown:
            break;
        }
    }

    // Nothing twice, and what belongs to an order in its order.
    void checkStream() {
        std::set<uint64_t> seen;
        std::map<uint64_t, const Publisher*> owner;
        for (const auto& publisher : publishers_) {
            for (uint64_t number : publisher->numbers) {
                owner[number] = publisher.get();
            }
        }
        std::map<const Publisher*, uint64_t> last;
        for (const Entry& entry : server_.stream) {
            assert_true(seen.insert(entry.number).second);
            if (const Publisher* publisher = owner[entry.number]; publisher != nullptr) {
                assert_true(hasLost_ || last[publisher] < entry.number);
                last[publisher] = entry.number;
            }
        }
    }

    std::mt19937 random_;
    Options options_;
    Flight flight_;
    Server server_;
    std::vector<std::unique_ptr<Publisher>> publishers_;
    std::set<const Publisher*> detached_;
    uint64_t now_ = 0;
    bool isConnected_ = true;
    bool hasLost_ = false;
    StreamId since_;
    StreamId accepted_;
};

void testWorlds(void**) {
    for (uint32_t seed = 0; seed < 600; ++seed) {
        World(seed, {.waits = seed % 2 == 1,
                     .mayKill = seed % 3 != 0,
                     .refuses = seed % 5 == 0,
                     .losesWrites = seed % 7 == 0})
            .run();
    }
}

// --- Single facts ---

struct Told {
    int count = 0;
    static void note(void* self) noexcept { ++static_cast<Told*>(self)->count; }
};

struct Setting {
    Setting() : flight(this, [](void* self) noexcept { ++static_cast<Setting*>(self)->changes; }) {}

    uint64_t add(Order* order, std::string_view bytes, Flight::Command command = {}) {
        const uint64_t number = flight.next();
        assert_true(flight.draft().append(bytes));
        command.order = order;
        command.events = 1;
        command.due = command.due == 0 ? 1000 : command.due;
        assert_true(flight.add(command));
        return number;
    }
    std::string send() {
        Buffer out;
        assert_true(flight.send(out));
        return std::string(out.view());
    }

    Flight flight;
    int changes = 0;
};

void testOneEvent(void**) {
    Setting setting;
    Told told;
    Order order(setting.flight, &told, Told::note);
    assert_true(order.isOver() && order.hasRoom());
    const uint64_t number = setting.add(&order, "one");
    order.wait(Order::Wish::Over);
    assert_false(setting.flight.progress());
    assert_string_equal(setting.send().c_str(), "one");
    assert_string_equal(setting.send().c_str(), "");
    assert_int_equal(setting.flight.awaited(), number);
    setting.flight.accept(number, {5, 1}, false);
    assert_int_equal(setting.flight.awaited(), Flight::kNone);
    assert_int_equal(setting.changes, 1);
    assert_int_equal(told.count, 0); // not by a function of the bus
    setting.flight.progress();
    assert_int_equal(told.count, 1);
    assert_true(order.isOver());
    assert_int_equal(order.events(), 1);
    assert_true(order.lastId() == (StreamId{5, 1}));
    assert_true(setting.flight.isEmpty());
    assert_int_equal(setting.flight.tally().published, 1);
}

// Its own bytes, and those of all.
void testRoom(void**) {
    Setting setting;
    Told told;
    Order order(setting.flight, &told, Told::note);
    const std::string large(Flight::kMostBytesOfOrder, 'x');
    const uint64_t number = setting.add(&order, large);
    assert_false(order.hasRoom());
    order.wait(Order::Wish::Room);
    assert_false(setting.flight.progress());
    setting.send();

    Told others;
    Order other(setting.flight, &others, Told::note);
    assert_true(other.hasRoom());
    std::vector<uint64_t> numbers;
    while (!setting.flight.isFull()) {
        numbers.push_back(setting.add(nullptr, large));
    }
    assert_false(other.hasRoom());
    other.wait(Order::Wish::Room);
    setting.flight.accept(number, {1, 1}, false);
    while (setting.flight.progress()) {
    }
    assert_int_equal(told.count, 1); // there is room again, by its own bytes
    assert_int_equal(others.count, 1);

    setting.send();
    other.wait(Order::Wish::Room);
    while (setting.flight.progress()) {
    }
    assert_int_equal(others.count, 2);

    // Redis is away.
    while (!setting.flight.isFull()) {
        setting.add(nullptr, large);
    }
    other.wait(Order::Wish::Room);
    assert_false(setting.flight.progress());
    setting.flight.endThirst();
    while (setting.flight.progress()) {
    }
    assert_int_equal(others.count, 3);
}

// What is not known in time, and what has not been sent by then.
void testTime(void**) {
    Setting setting;
    Told told;
    Order sent(setting.flight, &told, Told::note);
    Order queued(setting.flight, &told, Told::note);
    const uint64_t number = setting.add(&sent, "a");
    setting.send();
    setting.add(&queued, "b");
    setting.flight.expire(999);
    assert_false(sent.isOver());
    setting.flight.expire(1000);
    assert_true(sent.isOver() && queued.isOver());
    assert_true(sent.failure() == Failure::Unknown);
    assert_true(queued.failure() == Failure::Away);
    // The reply comes after all, and is for nobody.
    assert_int_equal(setting.flight.awaited(), number);
    setting.flight.accept(number, {1, 1}, false);
    assert_true(setting.flight.isEmpty());
    assert_int_equal(sent.events(), 0);
    assert_int_equal(setting.flight.tally().unknown, 1);
    assert_int_equal(setting.flight.tally().refused, 1);
    assert_int_equal(setting.flight.tally().published, 0);

    // What took too long is not sent again.
    setting.add(&sent, "c");
    setting.send();
    setting.flight.expire(1000);
    setting.flight.lose();
    assert_true(setting.flight.isEmpty());
}

// What was lost on the way is sent again, in order, and before what is new.
void testSentAgain(void**) {
    Setting setting;
    Told told;
    Order order(setting.flight, &told, Told::note);
    const uint64_t first = setting.add(&order, "a");
    setting.add(&order, "b");
    setting.add(&order, "c");
    setting.send();
    setting.flight.lose();
    setting.add(&order, "d");
    setting.flight.find(first, {7, 1});
    setting.flight.find(first + 1000, {7, 2}); // somebody else's
    setting.flight.find(0, {7, 2});
    assert_false(setting.flight.endSearch(true, false));
    assert_int_equal(order.events(), 1);
    assert_string_equal(setting.send().c_str(), "bcd");
    for (int i = 0; i < 3; ++i) {
        setting.flight.accept(setting.flight.awaited(), {8, 1}, false);
    }
    assert_true(order.isOver() && order.failure() == Failure::None);
    assert_int_equal(order.events(), 4);
}

// An earlier event does not come after a later one.
void testOvertaken(void**) {
    Setting setting;
    Told told;
    Order order(setting.flight, &told, Told::note);
    setting.add(&order, "a");
    const uint64_t second = setting.add(&order, "b");
    setting.send();
    setting.flight.lose();
    setting.flight.find(second, {7, 1});
    setting.flight.endSearch(true, false);
    assert_true(order.isOver());
    assert_true(order.failure() == Failure::Unknown);
    assert_int_equal(order.events(), 0);
    assert_string_equal(setting.send().c_str(), "");
}

// A refused event, after which others got through.
void testHole(void**) {
    Setting setting;
    Told told;
    Order order(setting.flight, &told, Told::note);
    for (int i = 0; i < 3; ++i) {
        setting.add(&order, "x");
    }
    setting.send();
    setting.flight.accept(setting.flight.awaited(), {1, 1}, false);
    setting.flight.refuse(setting.flight.awaited(), Failure::Refused);
    assert_true(order.failure() == Failure::Refused);
    setting.flight.accept(setting.flight.awaited(), {1, 2}, false);
    assert_true(order.failure() == Failure::Unknown);
    assert_int_equal(order.events(), 1);
}

// Replicas are counted with what they were asked for.
void testReplicas(void**) {
    Setting setting;
    Told told;
    Order order(setting.flight, &told, Told::note);
    setting.add(&order, "a");
    setting.add(&order, "b");
    setting.add(nullptr, "w", {.kind = Flight::Kind::Wait});
    setting.send();
    assert_true(setting.flight.isWaiting());
    setting.flight.accept(setting.flight.awaited(), {1, 1}, true);
    setting.flight.accept(setting.flight.awaited(), {1, 2}, true);
    assert_false(order.isOver());
    setting.flight.confirm(setting.flight.awaited(), 2);
    assert_true(order.isOver());
    assert_int_equal(order.replicas(), 2);
    assert_int_equal(order.events(), 2);
    assert_false(setting.flight.isWaiting());
}

struct Answers {
    int answers = 0;
    int none = 0;
    Question question{.self = this, .onAnswer = [](void* self, const Reply* reply) noexcept {
                          ++(reply == nullptr ? static_cast<Answers*>(self)->none
                                              : static_cast<Answers*>(self)->answers);
                      }};
};

void testQuestions(void**) {
    Setting setting;
    Answers answers;
    const Flight::Command ask{.kind = Flight::Kind::Question, .question = &answers.question};
    setting.add(nullptr, "q", ask);
    setting.send();
    setting.add(nullptr, "q", ask);
    const Reply reply{};
    setting.flight.answer(setting.flight.awaited(), reply);
    assert_int_equal(answers.answers, 1);
    setting.send();
    setting.flight.lose();
    assert_int_equal(answers.none, 1);
    setting.add(nullptr, "q", ask);
    setting.flight.failQueued();
    assert_int_equal(answers.none, 2);
    setting.add(nullptr, "q", ask);
    setting.flight.expire(1000);
    assert_int_equal(answers.none, 3);
    assert_true(setting.flight.isEmpty());

    // Once, if it takes too long: whether the reply comes then, or the connection is lost.
    setting.add(nullptr, "q", ask);
    setting.add(nullptr, "q", ask);
    setting.send();
    setting.flight.expire(1000);
    assert_int_equal(answers.none, 5);
    setting.flight.answer(setting.flight.awaited(), reply);
    setting.flight.lose();
    assert_int_equal(answers.answers, 1);
    assert_int_equal(answers.none, 5);
    assert_true(setting.flight.isEmpty());
}

// A script that Redis does not know is sent again once.
void testRepeat(void**) {
    Setting setting;
    Told told;
    Order order(setting.flight, &told, Told::note);
    const uint64_t number = setting.add(&order, "a", {.kind = Flight::Kind::Whole});
    setting.add(nullptr, "b");
    setting.send();
    assert_true(setting.flight.repeat(number));
    setting.flight.accept(setting.flight.awaited(), {1, 1}, false);
    assert_false(setting.flight.isAwaiting());
    assert_string_equal(setting.send().c_str(), "a");
    assert_false(setting.flight.repeat(number));
    setting.flight.acceptWhole(number, {.kind = RequestRecord::Kind::Repeated, .id = {3, 3}}, true);
    assert_true(order.isOver());
    assert_int_equal(order.events(), 0);
    assert_true(order.record().kind == RequestRecord::Kind::Repeated);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testOneEvent),  cmocka_unit_test(testRoom),      cmocka_unit_test(testTime),
        cmocka_unit_test(testSentAgain), cmocka_unit_test(testOvertaken), cmocka_unit_test(testHole),
        cmocka_unit_test(testReplicas),  cmocka_unit_test(testQuestions), cmocka_unit_test(testRepeat),
        cmocka_unit_test(testWorlds),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
