// How fast a body is taken: in slices, and not faster than sse_max_rate.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ngx.hpp"

namespace sse {

class Pace {
public:
    // `maxRate`: events per second; 0: any number.
    explicit Pace(ngx_uint_t maxRate) noexcept : maxRate_(maxRate) {}

    // A slice of the worker's work begins.
    void beginSlice() noexcept;
    // What has been taken in it: bytes of the body, and then events that became of them.
    void spend(size_t bytes) noexcept;
    void spend(size_t bytes, uint64_t events) noexcept;
    bool isSliceSpent() const noexcept { return slice_ == 0; }

    // Counts events against sse_max_rate.
    void pay(uint64_t events) noexcept;
    // For how many milliseconds nothing more may be taken, to keep to sse_max_rate: a request may be a second
    // ahead.
    ngx_msec_t overdrawn() const noexcept;

    // How many bytes may be taken at a time of a body in which each byte may be an event (`isStream`), and of
    // any other.
    size_t mostBytes(bool isStream) const noexcept;

private:
    ngx_uint_t maxRate_;
    uint64_t paidUntil_ = 0; // nanoseconds of nginx's clock: up to then sse_max_rate is used up
    size_t slice_ = 0;       // bytes that may still be taken in this one
};

} // namespace sse
