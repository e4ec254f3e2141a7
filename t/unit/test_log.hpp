// What the tests of the log share: a log in ordinary memory, appending to it, reading from it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cmocka.hpp"
#include "log/replay.hpp"
#include "log/ring.hpp"
#include "log/take_over.hpp"
#include "log/writer.hpp"

namespace sse {

inline constexpr uint64_t kBirth = 1700000000000;
inline constexpr uint64_t kLineage = 4711;
inline constexpr uint64_t kOtherLineage = 4712;

// The ids of a log's birth, and of its events.
inline constexpr EventId kBorn{kBirth, kLineage};
constexpr EventId idOf(uint64_t milliseconds, uint64_t count) {
    return {milliseconds, count * kLineages + kLineage};
}

// Random numbers that are the same in every run (Steele et al., "Fast splittable pseudorandom number
// generators").
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t operator()() {
        uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    uint64_t below(uint64_t limit) { return (*this)() % limit; }
    bool chance(uint64_t percent) { return below(100) < percent; }

private:
    uint64_t state_;
};

// A log in memory that held something else before, and that nobody else has.
struct TestLog {
    explicit TestLog(uint32_t channels, size_t capacity = Log::kMinCapacity, uint64_t now = kBirth,
                     uint64_t lineage = kLineage)
        : size(Log::overhead(channels, capacity) + capacity),
          bytes(static_cast<std::byte*>(std::malloc(size))),
          log(LogWriter::withoutLock(create(channels, lineage, now))) {}
    TestLog(const TestLog&) = delete;
    TestLog& operator=(const TestLog&) = delete;
    ~TestLog() { std::free(bytes); }

    std::span<std::byte> memory() const { return {bytes, size}; }
    LogHeader& header() const { return *reinterpret_cast<LogHeader*>(bytes); }
    uint32_t* buckets() const { return bucketsOf(&header()); }
    IndexEntry* entries() const { return entriesOf(&header()); }
    Ring ring() const { return {&header(), ringOf(&header())}; }

    // As a process that comes later finds it.
    void checkAttaches() const {
        const auto attached = Log::attach(memory());
        assert_true(attached.has_value() && attached->isSame(log));
    }

    size_t size;
    std::byte* bytes;
    LogWriter log;

private:
    Log create(uint32_t channels, uint64_t lineage, uint64_t now) const {
        assert_non_null(bytes);
        std::memset(bytes, 0xa5, size);
        const auto made = Log::create(memory(), channels, SipKey{1, 2}, lineage, now);
        assert_true(made.has_value());
        return *made;
    }
};

inline std::string fields(std::string_view data) {
    return "data: " + std::string(data) + "\n\n";
}

inline Appended append(LogWriter& log, std::string_view channel, uint64_t hash, std::string_view data,
                       uint64_t now = kBirth, std::string_view publisherId = {}) {
    const std::string rendered = fields(data);
    return log.append({.channel = channel, .hash = hash, .publisherId = publisherId, .fields = rendered},
                      now);
}

inline Appended append(LogWriter& log, std::string_view channel, std::string_view data, uint64_t now = kBirth,
                       std::string_view publisherId = {}) {
    return append(log, channel, log.hash(channel), data, now, publisherId);
}

inline Appended endChannel(LogWriter& log, std::string_view channel, uint64_t now = kBirth) {
    return log.append(
        {.channel = channel, .hash = log.hash(channel), .publisherId = {}, .end = true, .fields = {}}, now);
}

inline void takeOver(LogWriter& log, LogWriter& old) {
    TakeOver(log, old).run([&old](auto&& visit) { visit(old); });
}

inline AppendStatus appendWithId(LogWriter& log, std::string_view channel, std::string_view data, EventId id,
                                 uint64_t now = kBirth) {
    const std::string rendered = fields(data);
    const Appended appended = log.append(
        {.channel = channel, .hash = log.hash(channel), .publisherId = {}, .fields = rendered, .id = id},
        now);
    assert_true(appended.status != AppendStatus::Ok || appended.id == id);
    return appended.status;
}

// The id that follows after so many others of the same millisecond.
constexpr EventId later(EventId id, uint64_t count) {
    return {id.milliseconds, id.sequence + count * kLineages};
}

// What lies behind the header; nothing if it has been overwritten.
inline std::string text(const Log& log, uint64_t offset, size_t position, size_t length) {
    std::string bytes(length, '\0');
    return log.readPayload(offset, position, length, bytes.data()) ? bytes : std::string();
}
inline std::string nameOf(const Log& log, uint64_t offset, const RecordHeader& record) {
    return text(log, offset, 0, record.nameLength);
}
inline std::string payloadOf(const Log& log, uint64_t offset, const RecordHeader& record) {
    return text(log, offset, record.nameLength, record.payloadLength);
}
inline std::string idText(EventId id) {
    char text[kMaxEventIdText];
    return {text, formatEventId(id, text)};
}
// The payload of an event that append() above has made.
inline std::string rendered(EventId id, std::string_view data) {
    return "id: " + idText(id) + "\n" + fields(data);
}

// What is left of such a payload between "data: " and the blank line.
inline std::string dataOf(const Log& log, uint64_t offset, const RecordHeader& record) {
    const size_t start = record.nameLength + record.idLineLength + 6;
    return text(log, offset, start, record.payloadLength - record.idLineLength - 8);
}

struct LoggedEvent {
    uint64_t offset;
    RecordHeader header;
};

// All records in the ring but pads; checks that the log can be walked from tail to head. While a life begins,
// the tail may be past the head.
inline std::vector<LoggedEvent> walkRecords(const Log& log) {
    std::vector<LoggedEvent> records;
    RecordHeader record;
    uint64_t offset = std::min(log.tail(), log.head());
    ReadStatus status;
    while ((status = log.readHeader(offset, record)) == ReadStatus::Ok) {
        if (record.kind != RecordKind::Pad) {
            records.push_back({offset, record});
        } else {
            assert_int_equal(static_cast<int>(record.kind), static_cast<int>(RecordKind::Pad));
            assert_int_equal((offset + record.length) % log.capacity(), 0);
        }
        offset += record.length;
    }
    assert_int_equal(static_cast<int>(status), static_cast<int>(ReadStatus::End));
    assert_true(offset == log.head());
    return records;
}

// Those of them that are events or ends.
inline std::vector<LoggedEvent> walk(const Log& log) {
    std::vector<LoggedEvent> events = walkRecords(log);
    std::erase_if(events, [](const LoggedEvent& record) { return record.header.kind == RecordKind::Break; });
    return events;
}

inline ReplayChannel channel(LogWriter& log, std::string_view name, uint64_t hash) {
    return {.name = name, .hash = hash, .state = log.findChannel(hash)};
}
inline ReplayChannel channel(LogWriter& log, std::string_view name) {
    return channel(log, name, log.hash(name));
}

} // namespace sse
