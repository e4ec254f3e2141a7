// Calls on a log that can be cut off by death at any of their steps. For a program that is built with
// -DSSE_FAULTS and sets faultHook to dieInTime, or to something that calls it.
#pragma once

#include <optional>
#include <string>

#include "log/fault.hpp"
#include "model.hpp"

namespace sse {

inline jmp_buf death;
inline uint64_t stepsToLive; // 0: immortal
inline uint64_t stepsDone;   // of the call that runs, or was the last to run

inline void dieInTime(const char*) {
    ++stepsDone;
    if (stepsToLive != 0 && --stepsToLive == 0) {
        longjmp(death, 1);
    }
}

enum class Kind { Append, Break, Life, Listen, Unlisten, Forget, Count, Census, Find, Recover, TakeOver };

// Made ready beforehand: nothing that a death would leak is made while it runs.
struct Operation {
    Kind kind;
    std::string name{};
    uint64_t hash = 0;
    std::string publisherId{};
    std::string fields{};
    uint64_t events = 1;  // that are appended together
    Stamp stamp{};        // of the last of them
    EventId id{};         // of the first, or of the break; zero: the log issues it
    uint64_t lineage = 0; // of the next life
    bool end = false;
    uint64_t now = 0;
    uint32_t entry = kNoEntry;
    uint32_t worker = 0;
    int32_t change = 3;       // of the subscribers
    LogWriter* old = nullptr; // which it takes over
};

inline Appended appendAll(LogWriter& log, const Operation& operation) {
    Draft draft = log.begin(operation.now);
    for (uint64_t i = 0; i < operation.events; ++i) {
        const AppendStatus status =
            log.add(draft, {.channel = operation.name,
                            .hash = operation.hash,
                            .publisherId = operation.publisherId,
                            .stamp = i + 1 == operation.events ? operation.stamp.bytes() : std::string_view(),
                            .end = operation.end,
                            .fields = operation.fields,
                            .id = operation.id == EventId{} ? EventId{} : later(operation.id, i)});
        if (status != AppendStatus::Ok) {
            log.abandon(draft);
            return {.status = status, .id = {}};
        }
    }
    return log.commit(draft);
}

// The result is that of an append.
inline Appended perform(LogWriter& log, const Operation& operation) {
    switch (operation.kind) {
    case Kind::Append:
        if (operation.events != 1) {
            return appendAll(log, operation);
        }
        return log.append({.channel = operation.name,
                           .hash = operation.hash,
                           .publisherId = operation.publisherId,
                           .stamp = operation.stamp.bytes(),
                           .end = operation.end,
                           .fields = operation.fields,
                           .id = operation.id},
                          operation.now);
    case Kind::Break:
        return {.status = log.appendBreak(operation.id), .id = operation.id};
    case Kind::Life:
        return {.status = log.beginLife(operation.lineage) ? AppendStatus::Ok : AppendStatus::Retired,
                .id = {}};
    case Kind::Listen:
        log.listen(operation.hash, operation.worker);
        break;
    case Kind::Unlisten:
        log.unlisten(operation.entry, operation.worker);
        break;
    case Kind::Forget:
        log.forgetListeners(setOf(operation.worker), 0, UINT32_MAX);
        break;
    case Kind::Count:
        log.addSubscribers(operation.entry, operation.change);
        break;
    case Kind::Census:
        log.beginCensus();
        break;
    case Kind::Find:
        log.findChannel(operation.hash);
        break;
    case Kind::Recover:
        log.recover();
        break;
    case Kind::TakeOver:
        takeOver(log, *operation.old);
        break;
    }
    return {};
}

// Performs it and dies at that step, which gives nullopt; or to the end, if there are not so many.
[[gnu::noinline]] inline std::optional<Appended> performUntil(LogWriter& log, const Operation& operation,
                                                              uint64_t step) {
    stepsDone = 0;
    stepsToLive = step;
    if (setjmp(death) == 0) {
        const Appended appended = perform(log, operation);
        stepsToLive = 0;
        return appended;
    }
    return std::nullopt;
}

// A life has begun as soon as that is certain.
inline void noteLife(const TestLog& zone, Model& model) {
    const uint64_t next = zone.header().nextLineage;
    const uint64_t lineage = next != 0 ? next : zone.log.lineage();
    if (lineage != model.life.birth.sequence) {
        model.life = {.birth = {0, lineage}, .first = model.events.size()};
    }
}

// Adds what the operation has appended since the head was there, if anything, to the model: all of its events
// or none.
inline void note(const TestLog& zone, Model& model, const Operation& operation, uint64_t head) {
    const std::string tilde = operation.publisherId.empty() ? "" : "~";
    uint64_t count = 0;
    noteLife(zone, model);
    for (const LoggedEvent& event : walkRecords(zone.log)) {
        if (event.offset < head) {
            continue;
        }
        assert_int_equal(event.header.number, model.events.size());
        if (event.header.kind == RecordKind::Break) {
            assert_true(operation.kind == Kind::Break && event.header.id == operation.id);
            model.life.newestBreak = {operation.id, model.events.size()};
            continue;
        }
        assert_true(operation.id == EventId{} || event.header.id == later(operation.id, count));
        assert_true(model.events.size() == model.life.first || event.header.id > model.events.back().id);
        model.events.push_back(
            {event.header.id, operation.name,
             "id: " + idText(event.header.id) + tilde + operation.publisherId + "\n" + operation.fields,
             operation.now, operation.end});
        ++count;
    }
    assert_true(count == 0 || count == operation.events);
}

} // namespace sse
