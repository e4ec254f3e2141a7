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

// What a heartbeat knows of a subscriber. Its owner removes the link from the queue when it ends.
struct Beat {
    ngx_queue_t link; // in Heartbeat::queue_, once added
    ngx_msec_t lastSent;
    void* owner; // for SendBeat
};

// Sends the text of a heartbeat. It calls onSent() and may end the subscriber, and any other.
using SendBeat = void (*)(Beat& beat, const BatchRef& text) noexcept;

class Heartbeat {
public:
    // NULL without memory.
    static Heartbeat* make(ngx_msec_t interval, std::string_view event, SendBeat send) noexcept;

    bool matches(ngx_msec_t interval, std::string_view event) const noexcept;
    void add(Beat& beat) noexcept;
    // Bytes have been sent: the silence starts here.
    void onSent(Beat& beat) noexcept;

    Heartbeat* following = nullptr;

private:
    void run() noexcept;

    ngx_msec_t interval_;
    SendBeat send_;
    BatchRef text_;
    ShortText<kMaxEventType> event_; // empty: a comment
    ngx_queue_t queue_;              // of Beat::link, the longest silent first
    LoopEvent timer_;
};

// All heartbeats of this process, one for each combination of settings in use.
class Heartbeats {
public:
    static Heartbeats& ofProcess() noexcept;

    // Registers a subscriber for its location's heartbeat; NULL if the location has none, or without memory.
    Heartbeat* add(const LocationConfig& config, Beat& beat, SendBeat send) noexcept;

private:
    Heartbeat* first_ = nullptr;
};

} // namespace sse
