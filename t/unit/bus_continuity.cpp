// What a reader of a stream notices when entries were trimmed or deleted before it has read them.
#include "bus/continuity.hpp"

#include "cmocka.hpp"

using namespace sse;

namespace {

StreamId id(uint64_t n) {
    return {n, 0};
}

// A stream to which entries with the ids 1-0, 2-0, … are added, and its reader.
struct World {
    uint64_t added = 0;
    Continuity reader;

    World() { reader.begin({}); }
    void look() { reader.onLook(id(added), added); }
    void add(uint64_t count = 1) { added += count; }
    void read(uint64_t from, uint64_t to) {
        for (uint64_t n = from; n <= to; ++n) {
            reader.onEntry(id(n));
        }
    }
};

void nothingMissing(void**) {
    World world;
    world.look();
    world.add(5);
    world.read(1, 3);
    world.look();
    world.add(5);
    world.read(4, 10);
    assert_false(world.reader.hasMissed());
    world.look();
    world.look();
    assert_false(world.reader.hasMissed());
    assert_true(world.reader.reached() == id(10));
}

void missingInTheMiddle(void**) {
    World world;
    world.look();
    world.add(10);
    world.read(1, 2);
    world.read(9, 10); // 3 to 8 were trimmed
    assert_false(world.reader.hasMissed());
    world.look();
    assert_true(world.reader.hasMissed());
    world.reader.onTold();
    world.add(3);
    world.read(11, 13);
    world.look();
    assert_false(world.reader.hasMissed());
}

// The entry that the look has named is not there any more when its turn comes.
void missingAtALook(void**) {
    World world;
    world.look();
    world.add(4);
    world.look();
    world.add(4);
    world.read(1, 2);
    world.read(6, 6);
    assert_true(world.reader.hasMissed());
    world.reader.onTold();
    world.read(7, 8);
    world.look();
    assert_true(world.reader.hasMissed()); // 5, which came after the look
}

void missingAtTheEnd(void**) {
    World world;
    world.look();
    world.add(4);
    world.look();
    world.read(1, 2);
    world.reader.onNothing();
    assert_true(world.reader.hasMissed());
    assert_true(world.reader.reached() == id(4));
    world.reader.onTold();
    world.look();
    world.add(1);
    world.read(5, 5);
    world.look();
    world.reader.onNothing();
    assert_false(world.reader.hasMissed());
}

// Nothing is known of what precedes the first look.
void beginsInTheMiddle(void**) {
    World world;
    world.add(100);
    world.reader.begin(id(50));
    world.look();
    world.read(60, 100);
    assert_false(world.reader.hasMissed());
    world.add(2);
    world.read(102, 102);
    world.look();
    assert_true(world.reader.hasMissed());
}

void deleted(void**) {
    for (const StreamId last : {StreamId{}, id(7), id(9)}) {
        World world;
        world.add(7);
        world.look();
        world.read(1, 7);
        assert_false(world.reader.hasMissed());
        world.reader.onLook(last, last == StreamId{} ? 0 : 2);
        assert_true(world.reader.hasMissed());
        world.reader.onTold();
        world.reader.onLook(id(9), 2);
        world.read(9, 9);
        world.reader.onLook(id(9), 2);
        assert_false(world.reader.hasMissed());
    }
}

// Newer ids, and no entries that could be missing.
void raised(void**) {
    World world;
    world.add(3);
    world.look();
    world.read(1, 3);
    world.reader.onLook(id(50), 3); // XSETID
    world.reader.onNothing();
    assert_false(world.reader.hasMissed());
    assert_true(world.reader.reached() == id(50));
    world.reader.onLook(id(60), 4);
    world.reader.onNothing();
    assert_true(world.reader.hasMissed());
}

// Servers that do not tell.
void strangeServers(void**) {
    World world;
    world.reader.onLook({}, std::nullopt);
    world.read(5, 7);
    world.reader.onLook(id(7), std::nullopt);
    world.reader.onLook(id(3), 1);
    world.reader.onLook(id(7), 1000);
    world.reader.onNothing();
    assert_false(world.reader.hasMissed());
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(nothingMissing),
        cmocka_unit_test(missingInTheMiddle),
        cmocka_unit_test(missingAtALook),
        cmocka_unit_test(missingAtTheEnd),
        cmocka_unit_test(beginsInTheMiddle),
        cmocka_unit_test(deleted),
        cmocka_unit_test(raised),
        cmocka_unit_test(strangeServers),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
