// The memory that the protocol of Redis takes: none for a reply that is only announced, and none is kept
// while there is nothing to do; and any allocation may fail.
// build: -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=free
#include <malloc.h>

#include "bus/command.hpp"
#include "bus/entry.hpp"
#include "bus_replies.hpp"
#include "pieces.hpp"

using namespace sse;
using Next = ReplyReader::Next;

namespace {

// What src and hiredis ask for; the library of C++ and cmocka are not counted.
struct Heap {
    size_t live = 0; // bytes
    size_t most = 0;
    size_t untilFailure = 0; // the allocation that fails, from 1 on; 0: none
    bool failed = false;

    bool mayAllocate() {
        if (untilFailure != 0 && --untilFailure == 0) {
            failed = true;
            return false;
        }
        return true;
    }
    void* add(void* place) {
        live += malloc_usable_size(place);
        most = std::max(most, live);
        return place;
    }
    void remove(void* place) { live -= malloc_usable_size(place); }
};

Heap heap;

} // namespace

extern "C" {

void* __real_malloc(size_t size);
void* __real_calloc(size_t count, size_t size);
void* __real_realloc(void* place, size_t size);
void __real_free(void* place);

void* __wrap_malloc(size_t size) {
    return heap.mayAllocate() ? heap.add(__real_malloc(size)) : nullptr;
}

void* __wrap_calloc(size_t count, size_t size) {
    return heap.mayAllocate() ? heap.add(__real_calloc(count, size)) : nullptr;
}

void* __wrap_realloc(void* place, size_t size) {
    if (!heap.mayAllocate()) {
        return nullptr;
    }
    heap.remove(place);
    return heap.add(__real_realloc(place, size));
}

void __wrap_free(void* place) {
    heap.remove(place);
    __real_free(place);
}
}

namespace {

constexpr size_t kIdle = 160 * 1024; // what a reader may keep

// Calls `attempt` while its first, second, … allocation fails, until none does. It returns whether it has
// succeeded, and must not leave anything allocated.
template <typename Attempt>
void failEach(Attempt&& attempt) {
    size_t number = 0;
    for (bool failed = true; failed;) {
        heap = {.untilFailure = ++number};
        const bool succeeded = attempt();
        failed = heap.failed;
        assert_int_equal(succeeded, !failed);
        assert_int_equal(heap.live, 0);
    }
    assert_in_range(number, 2, 100);
    heap = {};
}

void testReplies(void**) {
    const std::string bytes =
        array({bulk(std::string(20000, 'x')), bulk("abc"), ":1\r\n", "*1\r\n+OK\r\n"}) + "-ERR\r\n";
    failEach([&] {
        ReplyReader reader(1024 * 1024);
        const Reply* reply = nullptr;
        for (size_t at = 0; at < bytes.size(); at += 3000) {
            const bool fed = reader.feed(std::string_view(bytes).substr(at, 3000));
            const Next next = reader.next(reply);
            if (!fed || next == Next::NoMemory) {
                assert_true(heap.failed);
                assert_true(reader.next(reply) == Next::NoMemory);
                // And another connection begins anew.
                reader.reset();
                assert_int_equal(heap.live, 0);
                assert_true(reader.feed("+OK\r\n"));
                assert_true(reader.next(reply) == Next::Reply);
                return false;
            }
        }
        return reader.next(reply) == Next::Reply && reply->isError("ERR");
    });
}

void testCommands(void**) {
    const std::vector<std::string_view> many(100, "word");
    failEach([&] {
        Buffer out;
        const bool added = addCommand(out, many);
        assert_true(added || out.empty());
        return added;
    });
    StagedEvents events;
    assert_true(events.add({.event = {.data = "a\nb"}}, encodedSize({.data = "a\nb"})));
    const size_t staged = heap.live;
    size_t number = 0;
    for (bool added = false; !added;) {
        Buffer out;
        heap.untilFailure = ++number;
        events.each([&](const StagedEvent& event) {
            added = addEntryCommand(out, "s", "n", event, {}, "t");
            return true;
        });
        assert_true(added || out.empty());
        assert_true(added || heap.failed);
    }
    assert_int_equal(heap.live, staged);
    heap.untilFailure = 0;
}

// An entry that cannot be read for want of memory is no bad one.
void testEntries(void**) {
    std::vector<Reply> nodes(7);
    const std::string_view texts[] = {"channel", "n", "data", "a\xff", "event", "up"};
    nodes[6] = {.type = Reply::Type::Array, .count = 6, .first = nodes.data()};
    for (size_t i = 0; i < 6; ++i) {
        nodes[i] = {.type = Reply::Type::Text, .text = texts[i], .next = i < 5 ? &nodes[i + 1] : nullptr};
    }
    failEach([&] {
        EntryReader reader(1000);
        const EntryKind kind = reader.read(nodes[6]);
        assert_true(kind == EntryKind::Event || kind == EntryKind::NoMemory);
        if (kind == EntryKind::NoMemory) {
            assert_true(reader.read(nodes[6]) == EntryKind::Event); // there is some again
        }
        return kind == EntryKind::Event;
    });
    EntryReader reader(1000);
    assert_true(reader.read(nodes[6]) == EntryKind::Event);
    assert_true(heap.live != 0);
    reader.release();
    assert_int_equal(heap.live, 0);
}

void testClaims(void**) {
    for (const std::string_view text :
         {"*1000000000\r\n", "$536870912\r\n", "*3\r\n$3\r\nabc\r\n$536870912\r\nabc"}) {
        heap = {};
        ReplyReader reader(4 * 1024 * 1024);
        const Reply* reply = nullptr;
        assert_true(reader.feed(text));
        assert_true(reader.next(reply) == Next::Incomplete);
        assert_true(heap.most < 80 * 1024);
    }
}

// Of a large reply nothing is kept, and until then it took no more than it may.
void testIdle(void**) {
    constexpr size_t kMost = 4 * 1024 * 1024;
    std::vector<std::string> elements(1000, bulk(std::string(1000, 'x')));
    for (const std::string& bytes :
         {bulk(std::string(4000000, 'x')), array(elements), "+" + std::string(2000000, 'x') + "\r\n"}) {
        heap = {};
        ReplyReader reader(kMost);
        const Reply* reply = nullptr;
        for (size_t at = 0; at < bytes.size(); at += 65536) {
            assert_true(reader.next(reply) == Next::Incomplete);
            assert_true(reader.feed(std::string_view(bytes).substr(at, 65536)));
        }
        assert_true(reader.next(reply) == Next::Reply);
        assert_true(heap.most < 2 * kMost + 2 * 1024 * 1024);
        assert_true(reader.next(reply) == Next::Incomplete);
        assert_true(heap.live < kIdle);
        assert_true(reader.feed("+OK\r\n"));
        assert_true(reader.next(reply) == Next::Reply);
        assertText(describe(*reply), "+OK", "after");
        reader.reset();
        assert_int_equal(heap.live, 0);
    }
}

// Nor does it grow with the number of replies, nor with those that are one after the other without a pause.
void testLong(void**) {
    heap = {};
    ReplyReader reader(64 * 1024);
    const std::string bytes = "$5\r\nhello\r\n";
    const Reply* reply = nullptr;
    std::string piece;
    for (int i = 0; i < 1000; ++i) {
        piece += bytes;
    }
    size_t replies = 0;
    for (size_t at = 0, round = 0; round < 1000; ++round) {
        const size_t length = 1 + round * 7919 % (piece.size() - at);
        assert_true(reader.feed(std::string_view(piece).substr(at, length)));
        at = (at + length) % bytes.size();
        while (reader.next(reply) == Next::Reply) {
            ++replies;
        }
        assert_true(heap.live < kIdle);
    }
    assert_true(replies > 100000);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testReplies), cmocka_unit_test(testCommands), cmocka_unit_test(testEntries),
        cmocka_unit_test(testClaims),  cmocka_unit_test(testIdle),     cmocka_unit_test(testLong),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
