// Wake-ups: how other workers wake this one, through an eventfd in nginx's event loop. Through the same
// connection nginx reports that the worker must leave.
#pragma once

#include "roster/registry.hpp"

namespace sse {

class WakeUps {
public:
    // `onWakeUp` finds `owner` in the data of its event's connection. false: nothing can wake this worker.
    bool listen(ngx_cycle_t* cycle, const Registry& registry, void* owner,
                ngx_event_handler_pt onWakeUp) noexcept;

    // After the worker has moved from an entry with that eventfd (-1: none) to another.
    void follow(const Registry& registry, int before) noexcept;

    // Clears what has come in; true if the worker must leave.
    bool receive() noexcept;

    bool areHeard() const noexcept { return connection_ != nullptr; }

private:
    // NULL without a free connection.
    static ngx_connection_t* watch(ngx_cycle_t* cycle, int fd, void* owner,
                                   ngx_event_handler_pt onWakeUp) noexcept;

    ngx_connection_t* connection_ = nullptr;
};

} // namespace sse
