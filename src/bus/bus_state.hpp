// What the workers of a machine share about a bus, in its own shared memory. It survives a reload.
#pragma once

#include <atomic>
#include <cstdint>

#include "bus/stream_id.hpp"
#include "log/shared_id.hpp"

namespace sse {

// All zeros are a valid state. Times are in milliseconds. Those called monotonic are from a clock that never
// jumps, which all processes of a machine share.
struct BusState {
    SharedWord machine; // a random number for this machine; 0: not drawn yet

    // --- The follower: the worker that reads the stream ---

    std::atomic<int64_t> follower; // its pid; 0: none
    std::atomic<int64_t> slot;     // its place in nginx's table of processes
    SharedWord beat;               // monotonic: when it was last seen at work

    // --- The log's position in the stream. Written by the follower, with the zone's lock held ---

    SharedWord lineage;             // of the stream and of the log; 0: the log is not bound to the stream yet
    SharedId handled;               // the newest entry that is in the log, or that has been skipped
    SharedWord fingerprint;         // of that entry (sync.hpp); 0: not known
    SharedId wantedBreak;           // the stream must get a break after this id; zero: it need not
    SharedId control;               // the newest entry of the control stream that has been looked at
    std::atomic<uint32_t> isFilled; // the log had everything that the stream had when this life began

    // --- Health ---

    std::atomic<uint32_t> connected; // the follower reads
    std::atomic<uint32_t> address;   // of the master: its index in the configuration
    SharedWord connectedAt;          // monotonic: when `connected` last changed
    SharedWord lastSeen;             // monotonic: when an entry last came, or a probe of ours last came back
    SharedWord deadSince;            // Unix time; 0: the bus is alive
    SharedWord aliveAt;              // monotonic: when it became alive
    SharedWord lag;                  // how long the newest probe took to come back

    // --- Counters: they only grow ---

    SharedWord entries;    // entries of the stream that have been appended to the log
    SharedWord skipped;    // entries of which no event could be made
    SharedWord breaks;     // breaks in the log: older cursors get a gap
    SharedWord reconnects; // of the follower, after it had been connected
    SharedWord lives;      // lineages that the log took from the stream
    SharedWord probes;     // probes that have come back
    SharedWord published;  // events that this machine has added to the stream
    SharedWord unknown;    // events of which it is not known whether the stream has them
    SharedWord refused;    // events that the stream did not take

    // The newest entry handled; zero: none.
    StreamId position() const noexcept { return load(handled); }
    void setPosition(StreamId id) noexcept { store(handled, id); }

    static StreamId load(const SharedId& shared) noexcept {
        const EventId id = shared.load();
        return {id.milliseconds, id.sequence};
    }
    static void store(SharedId& shared, StreamId id) noexcept {
        shared.store({id.milliseconds, id.sequence});
    }

    bool isUp() const noexcept { return deadSince.load(std::memory_order_relaxed) == 0; }
};

// Safe for any number of writers.
inline void add(SharedWord& counter, uint64_t count = 1) noexcept {
    counter.fetch_add(count, std::memory_order_relaxed);
}

} // namespace sse
