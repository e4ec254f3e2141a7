#include "roster/roster.hpp"

#include <algorithm>
#include <functional>

#include "log/fault.hpp"

namespace sse {

bool Roster::isWorker(uint32_t index) const noexcept {
    const int64_t pid = at(index).pid.load();
    return pid != 0 && at(index).held.load() == 0 && !isShared(index) && self_.isAlive(pid);
}

bool Roster::isUsed(uint32_t sharedId) const noexcept {
    bool used = false;
    eachSharing(sharedId, [this, &used](uint32_t i) { used = used || self_.isAlive(at(i).pid.load()); });
    return used;
}

// An entry with our own pid or process slot that is not ours belongs to a worker that is certainly dead.
bool Roster::isLeftBehind(uint32_t index) const noexcept {
    const WorkerEntry& entry = at(index);
    const int64_t pid = entry.pid.load();
    if (index == index_ || pid == 0) {
        return false;
    }
    if (isShared(index) && entry.held.load() == 0) {
        return index != currentSharedId() && !isUsed(index);
    }
    return pid == self_.pid || entry.slot.load() == self_.slot || !self_.isAlive(pid);
}

// The pid comes first: from then on the entry is found if we die.
void Roster::occupy(uint32_t index, uint32_t listenerId, bool held) noexcept {
    WorkerEntry& entry = at(index);
    if (index >= entryCount()) {
        memory_->used.store(index + 1 - kMaxListeners);
        faultPoint("occupy: counted");
    }
    entry.pid.store(self_.pid);
    faultPoint("occupy: pid");
    entry.held.store(held ? 1 : 0);
    faultPoint("occupy: held");
    entry.slot.store(self_.slot);
    entry.listenerId.store(listenerId);
    entry.pending.store(0);
    entry.subscribers.store(0);
    entry.draining.store(0);
    faultPoint("occupy: done");
}

bool Roster::someLeftBehind() const noexcept {
    for (uint32_t i = 0; i < entryCount(); ++i) {
        if (isLeftBehind(i)) {
            return true;
        }
    }
    return false;
}

// An entry with an exclusive listener id stays occupied until the index is clear of that id. An entry with a
// shared id is freed at once: the id is cleared when all workers that share it have gone.
Roster::LeftBehind Roster::takeLeftBehind() noexcept {
    LeftBehind left;
    for (uint32_t i = 0; i < entryCount(); ++i) {
        if (!isLeftBehind(i)) {
            continue;
        }
        left.counts = left.counts || !isShared(i);
        if (i < kMaxListeners) {
            occupy(i, i, true);
            left.listenerIds[i / 64] |= uint64_t{1} << i % 64;
        } else {
            at(i).pid.store(0);
            faultPoint("left behind: free");
        }
    }
    return left;
}

uint32_t Roster::findFree(uint32_t from, uint32_t until) const noexcept {
    while (from < until && at(from).pid.load() != 0) {
        ++from;
    }
    return from < until ? from : kNoEntry;
}

// Once the id is in the index, it stays there until it is cleared.
uint32_t Roster::useCurrentSharedId() noexcept {
    const uint32_t id = currentSharedId();
    if (at(id).pid.load() == 0) {
        at(id).held.store(0);
        at(id).pid.store(self_.pid);
        faultPoint("shared id: used");
    }
    return id;
}

// The entry comes first, so that others notice if this worker dies before it takes anything else.
Roster::LeftBehind Roster::claim() noexcept {
    LeftBehind own;
    for (uint32_t i = 0; i < kExclusiveIds && !hasEntry(); ++i) {
        const bool isDirty = isLeftBehind(i);
        if (isDirty || at(i).pid.load() == 0) {
            occupy(i, i, false);
            index_ = i;
            own.counts = isDirty;
            own.listenerIds[i / 64] |= uint64_t{isDirty} << i % 64;
        }
    }
    if (!hasEntry()) {
        const uint32_t i = findFree(kMaxListeners, RosterMemory::kCapacity);
        if (i != kNoEntry) {
            occupy(i, useCurrentSharedId(), false);
            index_ = i;
        }
    }
    LeftBehind left = takeLeftBehind();
    left.counts = left.counts || own.counts;
    std::transform(left.listenerIds.begin(), left.listenerIds.end(), own.listenerIds.begin(),
                   left.listenerIds.begin(), std::bit_or());
    return left;
}

void Roster::cleared(const LeftBehind& left) noexcept {
    for (uint32_t id = 0; id < kMaxListeners; ++id) {
        if (left.has(id) && id != index_) {
            at(id).pid.store(0);
            faultPoint("cleared: free");
        }
    }
}

void Roster::release() noexcept {
    if (hasEntry()) {
        if (at(index_).subscribers.load() == 0) {
            at(index_).pid.store(0);
        }
        index_ = kNoEntry;
    }
}

bool Roster::wantsChange(bool stays) const noexcept {
    return hasEntry() && isShared(listenerId()) &&
           ((stays && findFree(0, kExclusiveIds) != kNoEntry) || listenerId() != currentSharedId());
}

uint32_t Roster::beginChange(bool stays) noexcept {
    next_ = kMaxListeners;
    if (!wantsChange(stays)) {
        return next_;
    }
    const uint32_t exclusive = stays ? findFree(0, kExclusiveIds) : kNoEntry;
    if (exclusive == kNoEntry) {
        next_ = useCurrentSharedId();
    } else {
        occupy(exclusive, exclusive, true);
        next_ = exclusive;
    }
    return next_;
}

// A reader that holds the lock finds the subscribers in one entry only.
void Roster::finishChange() noexcept {
    WorkerEntry& old = at(index_);
    if (isShared(next_)) {
        old.listenerId.store(next_);
        faultPoint("change: listener id");
        return;
    }
    at(next_).subscribers.store(old.subscribers.load());
    faultPoint("change: subscribers");
    at(next_).held.store(0);
    faultPoint("change: new entry");
    old.pid.store(0);
    faultPoint("change: old entry");
    index_ = next_;
}

bool Roster::wantsTurn(bool crowded, uint64_t now) const noexcept {
    const uint32_t current = currentSharedId();
    return at(current).pid.load() != 0 && at(otherSharedId()).pid.load() == 0 &&
           ((crowded && now - memory_->turnedAt.load() >= kTurnTime) || !isUsed(current));
}

void Roster::turnOver(bool crowded, uint64_t now) noexcept {
    if (wantsTurn(crowded, now)) {
        memory_->turnedAt.store(now);
        memory_->turn.store(memory_->turn.load() + 1);
        faultPoint("turned over");
    }
}

} // namespace sse
