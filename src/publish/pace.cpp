#include "publish/pace.hpp"

#include <algorithm>

namespace sse {

namespace {

// How much is taken at a time of what has been read.
constexpr size_t kPiece = 8 * 1024;

// How much of a body is taken when something of it has come in, and then in each slice of the worker's work:
// bytes of the body and of what becomes of them together. So no upload keeps others waiting, and a
// subscriber, which gets a whole batch in its slice, does not fall behind.
constexpr size_t kSlice = 16 * 1024;
// What an event takes besides its fields: about an id line.
constexpr size_t kEventCost = 40;

// nginx's clock in nanoseconds, the unit in which the time that an event takes is counted.
constexpr uint64_t kSecond = 1000 * 1000 * 1000;
constexpr uint64_t kMillisecond = kSecond / 1000;

uint64_t clock() noexcept {
    return uint64_t{ngx_current_msec} * kMillisecond;
}

} // namespace

void Pace::beginSlice() noexcept {
    slice_ = kSlice;
}

void Pace::spend(size_t bytes) noexcept {
    slice_ -= std::min(slice_, bytes);
}

void Pace::spend(size_t bytes, uint64_t events) noexcept {
    spend(bytes + events * kEventCost);
}

void Pace::pay(uint64_t events) noexcept {
    if (maxRate_ != 0) {
        paidUntil_ = std::max(paidUntil_, clock()) + events * kSecond / maxRate_;
    }
}

ngx_msec_t Pace::overdrawn() const noexcept {
    const uint64_t most = clock() + kSecond;
    return paidUntil_ > most ? static_cast<ngx_msec_t>((paidUntil_ - most) / kMillisecond + 1) : 0;
}

// An event has at least one byte, so this many bytes contain no more events than allowed.
size_t Pace::mostBytes(bool isStream) const noexcept {
    if (maxRate_ == 0 || !isStream) {
        return kPiece;
    }
    const uint64_t ahead = paidUntil_ > clock() ? paidUntil_ - clock() : 0;
    const uint64_t allowed = (kSecond - std::min(ahead, kSecond)) * std::min<uint64_t>(maxRate_, kSecond);
    return std::clamp<uint64_t>(allowed / kSecond, 1, kPiece);
}

} // namespace sse
