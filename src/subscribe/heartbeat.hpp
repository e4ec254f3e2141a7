// Heartbeats: one timer over a queue in the order of the last bytes sent, for all subscribers with the same
// interval and text.
#pragma once

#include "conf/config.hpp"
#include "ngx.hpp"
#include "output/batch.hpp"
#include "sse/short_text.hpp"
#include "sse/validate.hpp"
#include "worker/loop_event.hpp"

namespace sse {

class Subscriber;

class Heartbeat {
public:
    static Heartbeat* make(ngx_msec_t interval, std::string_view event) noexcept; // NULL without memory

    bool matches(ngx_msec_t interval, std::string_view event) const noexcept;
    void add(Subscriber& subscriber) noexcept;
    // Bytes have been sent: from here on the silence counts.
    void onSent(Subscriber& subscriber) noexcept;

    Heartbeat* following = nullptr;

private:
    void run() noexcept;

    ngx_msec_t interval_;
    BatchRef text_;
    ShortText<kMaxEventType> event_; // empty: a comment
    ngx_queue_t queue_;              // of subscribers, the longest silent first
    LoopEvent timer_;
};

// All heartbeats of this process; there are as many as there are different settings.
class Heartbeats {
public:
    static Heartbeats& ofProcess() noexcept;

    // Has the subscriber sent a heartbeat as its location says; NULL if it says none, or without memory.
    Heartbeat* add(const LocationConfig& config, Subscriber& subscriber) noexcept;

private:
    Heartbeat* first_ = nullptr;
};

} // namespace sse
