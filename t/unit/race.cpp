// Readers without the lock, in threads, against a writer that laps them.
#include <mutex>
#include <thread>

#include "check.hpp"
#include "cmocka.hpp"

using namespace sse;

namespace {

// Readers tail the log while a writer laps them again and again. The data of each event is drawn from its
// number.
std::string drawn(uint64_t number) {
    Random random{number};
    std::string data(8 + random.below(2000), '\0');
    for (char& c : data) {
        c = static_cast<char>('a' + random.below(26));
    }
    return data;
}

void tails(void**) {
    TestLog zone{8};
    const uint64_t events = 60000;
    std::atomic<uint64_t> bad{0};
    std::atomic<uint64_t> good{0};
    const auto tail = [&zone, &bad, &good] {
        const Log log = *Log::attach(zone.memory());
        uint64_t offset = 0;
        EventId last{};
        for (uint64_t seen = 0; seen + 1 < events;) {
            RecordHeader record;
            const ReadStatus status = log.readHeader(offset, record);
            if (status == ReadStatus::Lapped) {
                offset = log.tail();
            } else if (status == ReadStatus::Ok) {
                if (record.kind == RecordKind::Event) {
                    const std::string payload = payloadOf(log, offset, record);
                    if (payload.empty()) {
                        offset = log.tail();
                        continue;
                    }
                    const bool right = record.id > last && log.head() >= offset + record.length &&
                                       payload == rendered(record.id, drawn(record.number));
                    (right ? good : bad).fetch_add(1);
                    last = record.id;
                    seen = record.number;
                }
                offset += record.length;
            }
        }
    };
    std::thread readers[] = {std::thread(tail), std::thread(tail)};
    for (uint64_t i = 0; i < events; ++i) {
        append(zone.log, i % 3 == 0 ? "a" : "b", drawn(i), kBirth + i / 7);
    }
    for (std::thread& reader : readers) {
        reader.join();
    }
    assert_int_equal(bad.load(), 0);
    assert_true(good.load() > 100);
    checkZone(zone);
}

// A reader replays without the lock while a writer laps it. Each event carries its number within its channel,
// so the reader can tell that it has got all of them in order, and that a gap is told exactly when there is
// one.
void replays(void**) {
    TestLog zone{8};
    std::mutex lock;
    std::atomic<bool> done{false};
    std::thread writer([&] {
        uint64_t numbers[3] = {};
        Random random{1};
        for (int i = 0; i < 40000; ++i) {
            const uint64_t c = random.below(20) == 0 ? 0 : 1 + random.below(2);
            const std::string data = std::to_string(++numbers[c]) + std::string(random.below(400), ' ');
            const char name[] = {static_cast<char>('a' + c), '\0'};
            const std::lock_guard guard(lock);
            append(zone.log, name, data);
        }
        done = true;
    });

    EventId cursor = kBorn;
    uint64_t seen[3] = {};
    uint64_t gaps = 0;
    uint64_t lapped = 0;
    uint64_t wrong = 0;
    bool last = false;
    Random patience{2};
    while (!last) {
        // Lets the writer get ahead, sometimes further than the ring reaches.
        const uint64_t until = zone.log.head() + patience.below(zone.log.capacity() * 5 / 4);
        while (zone.log.head() < until && !done) {
            std::this_thread::yield();
        }
        last = done;
        ReplayChannel channels[3];
        EventId lastId;
        {
            const std::lock_guard guard(lock);
            for (size_t c = 0; c < 3; ++c) {
                channels[c] = channel(zone.log, std::string_view("abc").substr(c, 1));
            }
            lastId = zone.log.lastId();
        }
        Replay replay{zone.log, channels, cursor, lastId, {}};
        ReadStatus status;
        while ((status = replay.seek(50)) == ReadStatus::End) {
        }
        bool gap = status == ReadStatus::Ok && replay.gap() != Gap::None;
        bool jumped = false;
        bool complete = true;
        ReplayEvent event;
        while (status == ReadStatus::Ok &&
               (status = replay.next(replay.horizon(), event)) == ReadStatus::Ok) {
            const std::string name = nameOf(zone.log, event.offset, event.header);
            const std::string data = dataOf(zone.log, event.offset, event.header);
            if (name.empty() || data.empty()) {
                status = ReadStatus::Lapped;
                break;
            }
            const size_t c = name[0] - 'a';
            const uint64_t number = std::strtoull(data.c_str(), nullptr, 10);
            wrong += number <= seen[c];
            jumped = jumped || number > seen[c] + 1;
            seen[c] = number;
            cursor = event.header.id;
        }
        if (status == ReadStatus::Lapped) {
            complete = false;
            last = false;
            ++lapped;
        }
        gaps += gap;
        wrong += jumped && !gap;
        wrong += complete && gap && !jumped;
    }
    writer.join();
    assert_int_equal(wrong, 0);
    assert_true(seen[0] + seen[1] + seen[2] == 40000);
    assert_true(gaps > 0);
    print_message("# %lu gaps, lapped %lu times\n", static_cast<unsigned long>(gaps),
                  static_cast<unsigned long>(lapped));
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(tails), cmocka_unit_test(replays)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
