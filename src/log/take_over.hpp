// Takes over from a log of another size, or of another copy of the module, that is still in use: events, ids,
// the key of the names, the lineage, and what is needed to decide about gaps. If not all events fit, the
// newest ones do.
//
// Most of it needs no lock of the old log:
//
//     copy          its records up to the head, as any reader would; again for what has come meanwhile
//     retire        with the lock, for a moment: from here on nothing can be appended to it
//     copy          what was left, which is the last
//     compare       the two indexes, with the lock, in slices: listeners still come and go in the old one
//
// A process that appends waits no longer than a slice takes, and no event is lost in the old log. If the
// process that takes over dies before the old log is retired, the old log continues as if nothing had
// happened. After that, another log can still take it over.
#pragma once

#include <cstdint>

#include "log/writer.hpp"

namespace sse {

class TakeOver {
public:
    // `log` is still empty, and nobody else has its lock until this is done.
    TakeOver(LogWriter& log, const Log& old) noexcept : log_(log), old_(old) {}

    // The whole take-over. `withOldLock(visit)` calls visit(LogWriter&) for the old log, whose lock it holds
    // during the call.
    template <typename WithOldLock>
    void run(WithOldLock&& withOldLock) noexcept {
        begin();
        for (int round = 0; round < kMostRounds && copyToHead() > kSmallRest; ++round) {
        }
        withOldLock([](LogWriter& old) noexcept { old.retire(); });
        copyToHead();
        uint32_t next = 0;
        do {
            withOldLock([&](LogWriter& old) noexcept { next = compareOldEntries(old, next); });
        } while (next != 0);
        do {
            withOldLock([&](LogWriter& old) noexcept { next = compareEntries(old, next); });
        } while (next != 0);
        withOldLock([this](LogWriter& old) noexcept { takeForgottenId(old); });
        finish();
    }

private:
    // Publishers are slower than this, so each round leaves less to the next.
    static constexpr int kMostRounds = 16;
    static constexpr uint64_t kSmallRest = 64 * 1024;
    // Entries of an index that are compared under one lock: some tenths of a millisecond.
    static constexpr uint32_t kSlice = 1024;

    void begin() noexcept;
    uint64_t copyToHead() noexcept;
    void copyRecord(uint64_t head) noexcept;
    bool take(RecordHeader record) noexcept;
    bool adopt(RecordHeader& record) noexcept;
    bool copy(RecordHeader record) noexcept;
    void startAgain() noexcept;
    uint32_t compareOldEntries(LogWriter& old, uint32_t from) noexcept;
    uint32_t compareEntries(LogWriter& old, uint32_t from) noexcept;
    bool isCopied(const IndexEntry& old) const noexcept;
    void takeForgottenId(LogWriter& old) noexcept;
    void finish() noexcept;
    void takeBreak() noexcept;
    void loseTrack() noexcept;

    LogWriter& log_;
    Log old_;
    uint64_t from_ = 0;     // what the old log held before this has not been copied
    uint64_t position_ = 0; // and from here on it is still to be
    bool isWhole_ = true;   // no record was damaged
};

} // namespace sse
