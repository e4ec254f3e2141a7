#include "worker/guests.hpp"

#include <algorithm>
#include <utility>

#include "counters/counts.hpp"

namespace sse {

namespace {

// The most in one slice: lookups in the table, with its lock held, and streams that are ended.
constexpr size_t kLookups = 1024;
constexpr int kEnds = 16;

Refusal refusalOf(const KeyTable::Admission& admission) noexcept {
    switch (admission.entry) {
    case KeyTable::Entry::Ok:
        break;
    case KeyTable::Entry::Kicked:
        return Refusal::Kicked;
    case KeyTable::Entry::Full:
        return admission.full == Scope::Key       ? Refusal::TooManyOfKey
               : admission.full == Scope::Channel ? Refusal::TooManyOnChannel
                                                  : Refusal::TooManyInZone;
    case KeyTable::Entry::NoRoom:
        return Refusal::KeysFull;
    }
    return Refusal::None;
}

void move(Guest& guest, ngx_queue_t& queue) noexcept {
    ngx_queue_remove(&guest.link);
    ngx_queue_insert_tail(&queue, &guest.link);
}

Guest& firstOf(ngx_queue_t& queue) noexcept {
    return *queueItem<Guest>(ngx_queue_head(&queue), offsetof(Guest, link));
}

StreamLimits limitsOf(const LocationConfig& config) noexcept {
    StreamLimits limits{};
    std::ranges::transform(config.maxSubscribers, limits.begin(),
                           [](ngx_uint_t limit) { return static_cast<uint32_t>(limit); });
    return limits;
}

} // namespace

void Guests::init(const MainConfig& config) noexcept {
    config_ = &config;
    ngx_queue_init(&checked_);
    ngx_queue_init(&unchecked_);
    ngx_queue_init(&kicked_);
    keys_.init(config.keys);
    if (keys_.isUsed()) {
        lastKick_ = checking_ = keys_.table().lastKick();
    }
}

// --- Arriving and leaving ---

// Makes room for the seats, too; false without memory.
bool Guests::identify(ngx_http_request_t* r, Guest& guest, std::string_view key,
                      std::span<const std::string_view> channels) noexcept {
    const KeyTable& table = keys_.table();
    const size_t seats = channels.size() + 2;
    auto* hashes = static_cast<uint64_t*>(
        ngx_palloc(r->pool, channels.size() * sizeof(uint64_t) + seats * sizeof(uint32_t)));
    if (hashes == nullptr) {
        return false;
    }
    std::ranges::transform(channels, hashes, [&table](std::string_view name) { return table.hash(name); });
    guest.identity.zone = table.hash(toView(locationConfig(r)->zone->name));
    guest.identity.key = key.empty() ? 0 : table.hash(key);
    guest.identity.channels = {hashes, channels.size()};
    guest.seats = {reinterpret_cast<uint32_t*>(hashes + channels.size()), seats};
    return true;
}

Refusal Guests::admit(ngx_http_request_t* r, Guest& guest, std::string_view key,
                      std::span<const std::string_view> channels) noexcept {
    if (!keys_.isUsed()) {
        return Refusal::None;
    }
    if (!identify(r, guest, key, channels)) {
        return Refusal::NoMemory;
    }
    const std::optional<ShmLock> lock = keys_.acquire();
    if (!lock) {
        return Refusal::Locked;
    }
    const KeyTable::Admission admission = keys_.table().admit(
        guest.identity, limitsOf(*locationConfig(r)), config_->counted, ngx_current_msec, guest.seats);
    if (admission.entry == KeyTable::Entry::Ok) {
        guest.isIn = true;
        guest.lastKick = admission.lastKick;
        guest.seats = guest.seats.first(admission.seats);
        ngx_queue_insert_tail(&checked_, &guest.link);
    }
    return refusalOf(admission);
}

// Without the lock an empty seat stays until its place is needed.
void Guests::leave(Guest& guest) noexcept {
    if (!std::exchange(guest.isIn, false)) {
        return;
    }
    ngx_queue_remove(&guest.link);
    KeyTable& table = keys_.table();
    const auto empty = std::remove_if(guest.seats.begin(), guest.seats.end(),
                                      [&table](uint32_t seat) { return !table.leave(seat); });
    const std::span<uint32_t> emptied(guest.seats.begin(), empty);
    const std::optional<ShmLock> lock = emptied.empty() ? std::nullopt : keys_.acquire();
    for (const uint32_t seat : lock ? emptied : std::span<uint32_t>()) {
        table.giveBack(seat);
    }
}

// --- Kicks ---

Refusal Guests::kick(const Zone& zone, std::string_view key, std::string_view channel,
                     ngx_msec_t time) noexcept {
    KeyTable& table = keys_.table();
    const uint64_t hash = table.hash(channel);
    const Identity target = {
        .zone = table.hash(toView(zone.name)),
        .key = key.empty() ? 0 : table.hash(key),
        .channels = {&hash, channel.empty() ? size_t{0} : size_t{1}},
    };
    const std::optional<ShmLock> lock = keys_.acquire();
    if (!lock) {
        return Refusal::Locked;
    }
    if (!table.kick(target, ngx_current_msec + time, ngx_current_msec)) {
        return Refusal::KicksFull;
    }
    zone.counters->kicks.add();
    return Refusal::None;
}

bool Guests::runSlice() noexcept {
    if (!keys_.isUsed()) {
        return false;
    }
    if (ngx_queue_empty(&unchecked_) && keys_.table().lastKick() != checking_) {
        checking_ = keys_.table().lastKick();
        ngx_queue_add(&unchecked_, &checked_);
        ngx_queue_init(&checked_);
    }
    const bool couldCheck = check();
    endSome();
    if (ngx_queue_empty(&unchecked_) && ngx_queue_empty(&kicked_) && lastKick_ != checking_) {
        lastKick_ = checking_;
        keys_.table().noteKick(lastKick_);
    }
    return (couldCheck && !ngx_queue_empty(&unchecked_)) || !ngx_queue_empty(&kicked_);
}

// false if the lock was not available.
bool Guests::check() noexcept {
    if (ngx_queue_empty(&unchecked_)) {
        return true;
    }
    const std::optional<ShmLock> lock = keys_.acquire();
    for (size_t lookups = 0; lock && lookups < kLookups && !ngx_queue_empty(&unchecked_);) {
        Guest& guest = firstOf(unchecked_);
        lookups += 1 + 2 * guest.identity.channels.size();
        const bool isHit = keys_.table().isHitSince(guest.identity, guest.lastKick);
        move(guest, isHit ? kicked_ : checked_);
    }
    return lock.has_value();
}

// A guest that cannot end at once leaves the queue of those that wait, but will end.
void Guests::endSome() noexcept {
    for (int i = 0; i < kEnds && !ngx_queue_empty(&kicked_); ++i) {
        Guest& guest = firstOf(kicked_);
        move(guest, checked_);
        guest.kick(guest);
    }
}

void Guests::keepUp() noexcept {
    if (!keys_.isUsed()) {
        return;
    }
    if (const std::optional<ShmLock> lock = keys_.acquire()) {
        keys_.table().buryDead();
    }
}

} // namespace sse
