#include "keys/key_table.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace sse {

namespace {

// Changes with the layout.
constexpr uint64_t kVersion = 0x7373'652d'6b65'7901; // "sse-key" and a number

// One part in so many of the memory is for bans. Only a client that may kick can fill it.
constexpr size_t kBanShare = 4;

std::byte* slotsOf(std::byte* memory) noexcept {
    return memory + sizeof(KeyMemory);
}

std::byte* bansOf(std::byte* memory, uint32_t seats) noexcept {
    const size_t length = seats * (sizeof(Seat) + sizeof(uint32_t));
    return slotsOf(memory) + (length + alignof(Ban) - 1) / alignof(Ban) * alignof(Ban);
}

} // namespace

// --- Memory ---

bool KeyTable::create(std::span<std::byte> memory, const SipKey& key) noexcept {
    if (memory.size() < sizeof(KeyMemory) + 4096) {
        return false;
    }
    const size_t room = memory.size() - sizeof(KeyMemory) - alignof(Ban);
    const uint32_t seats = Slots<Seat>::capacityIn(room - room / kBanShare);
    const uint32_t bans = Slots<Ban>::capacityIn(room / kBanShare);
    auto* header = new (memory.data()) KeyMemory{};
    header->key = key;
    Slots<Seat>::init(header->seats, slotsOf(memory.data()), seats);
    Slots<Ban>::init(header->bans, bansOf(memory.data(), seats), bans);
    header->version = kVersion;
    return true;
}

bool KeyTable::isKnown(const std::byte* memory) noexcept {
    uint64_t version;
    std::memcpy(&version, memory + offsetof(KeyMemory, version), sizeof(version));
    return version == kVersion;
}

KeyTable::KeyTable(std::byte* memory, bool (*isAlive)(int64_t pid) noexcept) noexcept
    : memory_(reinterpret_cast<KeyMemory*>(memory)), isAlive_(isAlive),
      seats_(memory_->seats, slotsOf(memory)), bans_(memory_->bans, bansOf(memory, memory_->seats.capacity)) {
}

void KeyTable::recover() noexcept {
    seats_.recover();
    bans_.recover();
}

uint64_t KeyTable::hash(std::string_view text) const noexcept {
    return sipHash(memory_->key, text);
}

// Subjects of different scopes are different, whatever the names are.
uint64_t KeyTable::subjectOf(Scope scope, const Identity& who, uint64_t channel) const noexcept {
    const bool hasKey = scope == Scope::Key || scope == Scope::KeyInChannel;
    const uint64_t parts[] = {static_cast<uint64_t>(scope), who.zone, hasKey ? who.key : 0, channel};
    char text[sizeof(parts)];
    std::memcpy(text, parts, sizeof(parts));
    return hash({text, sizeof(text)});
}

// --- Lives ---

// A life that is only half begun belongs to no process.
void KeyTable::beginLife(uint32_t process, int64_t pid) noexcept {
    recover();
    if (process >= KeyMemory::kMostProcesses) {
        return;
    }
    Life& life = memory_->lives[process];
    life.number.store(0);
    faultPoint("life: the old one is over");
    memory_->lastLife = memory_->lastLife == UINT32_MAX ? 1 : memory_->lastLife + 1;
    memory_->processes = std::max(memory_->processes, process + 1);
    life.pid = pid;
    life.lastKick.store(memory_->lastKick.load());
    faultPoint("life: ready");
    life.number.store(memory_->lastLife);
    process_ = process;
    life_ = memory_->lastLife;
}

void KeyTable::endLife() noexcept {
    if (std::exchange(life_, 0) != 0) {
        memory_->lives[process_].number.store(0);
    }
}

void KeyTable::buryDead() noexcept {
    for (Life& life : std::span(memory_->lives, memory_->processes)) {
        if (life.number.load() != 0 && !isAlive_(life.pid)) {
            life.number.store(0);
            faultPoint("life: over");
        }
    }
}

bool KeyTable::lives(const Seat& seat) const noexcept {
    return memory_->lives[seat.process].number.load() == seat.life;
}

uint64_t KeyTable::kickSeenByAll() const noexcept {
    uint64_t seen = memory_->lastKick.load();
    for (const Life& life : std::span(memory_->lives, memory_->processes)) {
        if (life.number.load() != 0) {
            seen = std::min(seen, life.lastKick.load());
        }
    }
    return seen;
}

// --- Seats ---

uint64_t KeyTable::streams(uint64_t subject) const noexcept {
    uint64_t streams = 0;
    seats_.find(subject, [&](const Seat& seat) noexcept {
        streams += lives(seat) ? seat.streams.load() : 0;
        return false;
    });
    return streams;
}

// Checks only when it matters whether the workers that seem to be alive are.
bool KeyTable::isFull(uint64_t subject, uint32_t limit) noexcept {
    if (limit == 0 || streams(subject) < limit) {
        return false;
    }
    buryDead();
    return streams(subject) >= limit;
}

std::optional<uint32_t> KeyTable::take(uint64_t subject) noexcept {
    Seat* seat = seats_.find(subject, [this](const Seat& each) noexcept { return each.life == life_; });
    if (seat == nullptr) {
        seat = seats_.make(
            subject,
            [this](Seat& made) noexcept {
                made.life = life_;
                made.process = process_;
                made.streams.store(0);
            },
            [this](const Seat& each) noexcept { return each.streams.load() == 0 || !lives(each); });
    }
    if (seat == nullptr) {
        return std::nullopt;
    }
    seat->streams.fetch_add(1);
    faultPoint("seat: taken");
    return seats_.numberOf(*seat);
}

// Calls visit(scope, subject) for each subject of the stream that is counted, until visit returns false;
// returns what visit returned last.
template <typename F>
bool KeyTable::eachCounted(const Identity& who, const CountedScopes& counted, F&& visit) const noexcept {
    auto counts = [&counted](Scope scope) noexcept { return counted[static_cast<size_t>(scope)]; };
    if (counts(Scope::Zone) && !visit(Scope::Zone, subjectOf(Scope::Zone, who))) {
        return false;
    }
    if (counts(Scope::Key) && who.key != 0 && !visit(Scope::Key, subjectOf(Scope::Key, who))) {
        return false;
    }
    return !counts(Scope::Channel) ||
           std::all_of(who.channels.begin(), who.channels.end(), [&](uint64_t channel) noexcept {
               return visit(Scope::Channel, subjectOf(Scope::Channel, who, channel));
           });
}

KeyTable::Admission KeyTable::admit(const Identity& who, const StreamLimits& limits,
                                    const CountedScopes& counted, uint64_t now,
                                    std::span<uint32_t> seats) noexcept {
    recover();
    const bool isKicked = anyBan(
        who, [now](const auto& kicks) noexcept { return kicks.until > now; },
        [now](const Ban& ban) noexcept { return ban.until > now; });
    if (isKicked) {
        return {Entry::Kicked};
    }
    Admission admission{Entry::Ok, {}, 0, memory_->lastKick.load()};
    const bool isFree = eachCounted(who, counted, [&](Scope scope, uint64_t subject) noexcept {
        admission.full = scope;
        return !isFull(subject, limits[static_cast<size_t>(scope)]);
    });
    if (!isFree) {
        return {Entry::Full, admission.full};
    }
    const bool isSeated = eachCounted(who, counted, [&](Scope, uint64_t subject) noexcept {
        const std::optional<uint32_t> seat = take(subject);
        if (seat) {
            seats[admission.seats++] = *seat;
        }
        return seat.has_value();
    });
    if (isSeated) {
        return admission;
    }
    for (uint32_t taken : seats.first(admission.seats)) {
        leave(taken);
        giveBack(taken);
    }
    return {Entry::NoRoom};
}

bool KeyTable::leave(uint32_t seat) noexcept {
    SSE_ASSERT(seats_.at(seat).life == life_ && seats_.at(seat).streams.load() != 0);
    return seats_.at(seat).streams.fetch_sub(1) == 1;
}

// Another process may have removed the seat already, and reused its slot for another one.
void KeyTable::giveBack(uint32_t seat) noexcept {
    recover();
    if (seats_.isInUse(seat) && seats_.at(seat).life == life_ && seats_.at(seat).streams.load() == 0) {
        seats_.remove(seats_.at(seat));
    }
}

// --- Kicks ---

// Calls isHit(ban) for the bans of the subjects that the stream belongs to, in the scopes that are concerned.
template <typename F, typename G>
bool KeyTable::anyBan(const Identity& who, F&& isScopeConcerned, G&& isHit) const noexcept {
    auto concerns = [&](Scope scope) noexcept {
        return isScopeConcerned(memory_->kicks[static_cast<size_t>(scope)]);
    };
    auto has = [&](Scope scope, uint64_t channel = 0) noexcept {
        return bans_.find(subjectOf(scope, who, channel), isHit) != nullptr;
    };
    if (who.key != 0 && concerns(Scope::Key) && has(Scope::Key)) {
        return true;
    }
    const bool byChannel = concerns(Scope::Channel);
    const bool byPair = who.key != 0 && concerns(Scope::KeyInChannel);
    return (byChannel || byPair) &&
           std::any_of(who.channels.begin(), who.channels.end(), [&](uint64_t channel) noexcept {
               return (byChannel && has(Scope::Channel, channel)) ||
                      (byPair && has(Scope::KeyInChannel, channel));
           });
}

// The number of the kick comes last: from then on the kick exists. A ban that a dead writer has left without
// it refuses, if anything, only the streams that were to be kicked.
bool KeyTable::kick(const Identity& who, uint64_t until, uint64_t now) noexcept {
    recover();
    buryDead();
    const Scope scope = who.channels.empty() ? Scope::Key
                        : who.key == 0       ? Scope::Channel
                                             : Scope::KeyInChannel;
    const uint64_t subject = subjectOf(scope, who, who.channels.empty() ? 0 : who.channels.front());
    const uint64_t number = memory_->lastKick.load() + 1;
    const uint64_t seen = kickSeenByAll();
    Ban* ban = bans_.find(subject, [](const Ban&) noexcept { return true; });
    if (ban == nullptr) {
        ban = bans_.make(
            subject,
            [number](Ban& made) noexcept {
                made.kick = number;
                made.until = 0;
            },
            [seen, now](const Ban& each) noexcept { return each.until <= now && each.kick <= seen; });
    }
    if (ban == nullptr) {
        return false;
    }
    ban->until = until;
    faultPoint("kick: until then");
    ban->kick = number;
    faultPoint("kick: its number");
    auto& kicks = memory_->kicks[static_cast<size_t>(scope)];
    kicks.until = std::max(kicks.until, until);
    kicks.lastKick = number;
    faultPoint("kick: refused");
    memory_->lastKick.store(number);
    faultPoint("kick: done");
    return true;
}

bool KeyTable::isHitSince(const Identity& who, uint64_t kick) const noexcept {
    return anyBan(
        who, [kick](const auto& kicks) noexcept { return kicks.lastKick > kick; },
        [kick](const Ban& ban) noexcept { return ban.kick > kick; });
}

} // namespace sse
