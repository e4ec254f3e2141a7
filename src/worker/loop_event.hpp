// An event of nginx's loop that belongs to no connection: a timer, or work that is posted to a turn.
#pragma once

#include "ngx.hpp"

namespace sse {

class LoopEvent {
public:
    // Cancelable: does not keep a leaving worker alive.
    enum class Kind { Cancelable, Blocking };

    void init(void* owner, ngx_event_handler_pt handler, Kind kind = Kind::Cancelable) noexcept {
        event_ = {};
        connection_ = {};
        // nginx-internal: event/ngx_event.h (1.22.1, 1.26.3, 1.30.4, 1.31.4): the debug log reads the
        // descriptor of an event's connection (ngx_event_ident), so there is one.
        connection_.fd = static_cast<ngx_socket_t>(-1);
        connection_.data = owner;
        event_.data = &connection_;
        event_.handler = handler;
        event_.log = ngx_cycle->log;
        setKind(kind);
    }
    void setKind(Kind kind) noexcept { event_.cancelable = kind == Kind::Cancelable ? 1 : 0; }

    template <typename T>
    static T& owner(ngx_event_t* event) noexcept {
        return *static_cast<T*>(static_cast<ngx_connection_t*>(event->data)->data);
    }

    bool waiting() const noexcept { return event_.timer_set || event_.posted; }
    void wait(ngx_msec_t milliseconds) noexcept { ngx_add_timer(&event_, milliseconds); }
    // Runs after the other events of this turn of the loop.
    void post() noexcept { ngx_post_event(&event_, &ngx_posted_events); }
    // Runs in the next turn, after what has arrived meanwhile.
    void postNext() noexcept { ngx_post_event(&event_, &ngx_posted_next_events); }

    void cancel() noexcept {
        if (event_.timer_set) {
            ngx_del_timer(&event_);
        }
        if (event_.posted) {
            ngx_delete_posted_event(&event_);
        }
    }

private:
    ngx_event_t event_{};
    ngx_connection_t connection_{};
};

} // namespace sse
