// The key table, in memory that all workers share: how many streams each key, each channel and each zone has,
// and what has been kicked.
//
// A seat counts the streams of one worker for one subject, for example a key; the sum over all seats of a
// subject is the number of its streams. A worker writes only its own seats, and takes one with the lock held,
// so a limit is exact. Each worker has a life, whose number is in its seats. Once the worker has died, its
// seats no longer count, whatever it was doing.
//
// A ban says that a subject has been kicked, and until when it is refused. Kicks are numbered. Each worker
// checks its own streams once for every new kick, and ends those of the subject that began before the kick. A
// ban is kept until its time is over and all workers have done so. So nothing is sent from one process to
// another, and a worker that was stopped catches up later.
//
// Knows no nginx. All of it is called with the table's lock held, unless stated otherwise.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "keys/slots.hpp"
#include "log/siphash.hpp"

namespace sse {

// What is counted, or kicked.
enum class Scope : uint8_t { Zone, Channel, Key, KeyInChannel };
inline constexpr size_t kScopes = 4;

struct Seat {
    SlotHead head;
    uint32_t life;
    uint32_t process;
    std::atomic<uint32_t> streams;
    uint32_t unused;
};
static_assert(sizeof(Seat) == 32);

struct Ban {
    SlotHead head;
    uint64_t kick;  // its number
    uint64_t until; // milliseconds
};
static_assert(sizeof(Ban) == 32);

// A worker process, by its place in nginx's table of processes: no two living ones have the same place.
struct Life {
    std::atomic<uint32_t> number; // 0: not in use
    uint32_t unused;
    int64_t pid;
    std::atomic<uint64_t> lastKick; // the last kick for which it has checked its streams
};

// Valid when all zeros, except for the key and the tables.
struct KeyMemory {
    // nginx-internal: os/unix/ngx_process.h (1.22.1, 1.26.3, 1.30.4, 1.31.4): there are at most 1024
    // processes (NGX_MAX_PROCESSES).
    static constexpr uint32_t kMostProcesses = 1024;

    uint64_t version;
    SipKey key;
    uint32_t lastLife;
    uint32_t processes; // lives that are or have been in use
    std::atomic<uint64_t> lastKick;
    // Of the kicks of each scope: the number of the last one, and when the last ban is over.
    struct {
        uint64_t lastKick;
        uint64_t until;
    } kicks[kScopes];
    SlotsHeader seats;
    SlotsHeader bans;
    Life lives[kMostProcesses];
};

// To whom a stream belongs and what it listens to, as hashes (KeyTable::hash).
struct Identity {
    uint64_t zone = 0;
    uint64_t key = 0; // 0: it has none
    std::span<const uint64_t> channels{};
};

// How many streams there may be; 0: any number. By scope, without Scope::KeyInChannel.
using StreamLimits = std::array<uint32_t, kScopes - 1>;
// For which scopes streams are counted, whether they are limited or not.
using CountedScopes = std::array<bool, kScopes - 1>;

class KeyTable {
public:
    // Lays the table out in that memory, which is aligned to a cache line; false if it is too small.
    static bool create(std::span<std::byte> memory, const SipKey& key) noexcept;

    KeyTable() = default;
    // A table that has been laid out. `isAlive` says whether the process with that pid is alive.
    KeyTable(std::byte* memory, bool (*isAlive)(int64_t pid) noexcept) noexcept;
    // Whether this version of the module has laid it out.
    static bool isKnown(const std::byte* memory) noexcept;

    // A hash of a name or key; needs no lock. An outsider cannot aim at a value. Two different texts are as
    // likely to have the same hash as a guess of 64 bits is to be right.
    uint64_t hash(std::string_view text) const noexcept;

    // Begins the life of this process; what its predecessor in that place has left no longer counts.
    void beginLife(uint32_t process, int64_t pid) noexcept;
    bool hasLife() const noexcept { return life_ != 0; }
    void endLife() noexcept;
    // Notes which other workers have died.
    void buryDead() noexcept;

    enum class Entry {
        Ok,
        Kicked,
        Full,   // a limit has been reached: `full` says which
        NoRoom, // for another seat
    };
    struct Admission {
        Entry entry;
        Scope full = Scope::Zone;
        size_t seats = 0;      // taken
        uint64_t lastKick = 0; // no kick up to this one has hit it
    };
    // Takes a seat for each subject that is counted, and writes the numbers of the seats to `seats`; all of
    // them, or none. `seats` has room for a seat for each channel and two more.
    Admission admit(const Identity& who, const StreamLimits& limits, const CountedScopes& counted,
                    uint64_t now, std::span<uint32_t> seats) noexcept;

    // A stream of this worker has ended; needs no lock. Returns whether it was the last one on that seat,
    // which should then be given back.
    bool leave(uint32_t seat) noexcept;
    void giveBack(uint32_t seat) noexcept;

    // Kicks the key, the first channel, or the key in that channel, depending on what `who` has, and refuses
    // it until `until`. The last kick counts, even if it is over sooner than the one before. false if there
    // is no room.
    bool kick(const Identity& who, uint64_t until, uint64_t now) noexcept;

    // The number of the last kick; needs no lock.
    uint64_t lastKick() const noexcept { return memory_->lastKick.load(); }
    // Whether a kick after that one has hit the stream.
    bool isHitSince(const Identity& who, uint64_t kick) const noexcept;
    // This worker has ended all streams that kicks up to this one have hit; needs no lock.
    void noteKick(uint64_t kick) noexcept {
        if (hasLife()) {
            memory_->lives[process_].lastKick.store(kick);
        }
    }

    // For tests.
    uint64_t streams(uint64_t subject) const noexcept;
    uint64_t subjectOf(Scope scope, const Identity& who, uint64_t channel = 0) const noexcept;

private:
    void recover() noexcept;
    bool lives(const Seat& seat) const noexcept;
    uint64_t kickSeenByAll() const noexcept;
    bool isFull(uint64_t subject, uint32_t limit) noexcept;
    std::optional<uint32_t> take(uint64_t subject) noexcept;
    template <typename F>
    bool eachCounted(const Identity& who, const CountedScopes& counted, F&& visit) const noexcept;
    template <typename F, typename G>
    bool anyBan(const Identity& who, F&& isScopeConcerned, G&& isHit) const noexcept;

    KeyMemory* memory_ = nullptr;
    bool (*isAlive_)(int64_t pid) noexcept = nullptr;
    Slots<Seat> seats_;
    Slots<Ban> bans_;
    uint32_t process_ = 0;
    uint32_t life_ = 0;
};

} // namespace sse
