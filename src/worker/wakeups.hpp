// Wake-ups: how other workers wake this one, by an eventfd in nginx's event loop. nginx itself reports by the
// same connection that the worker is to leave.
#pragma once

#include "roster/registry.hpp"

namespace sse {

class WakeUps {
public:
    // `onWakeUp` gets `owner` in the data of its event's connection. false: nobody can wake this worker.
    bool listen(ngx_cycle_t* cycle, const Registry& registry, void* owner,
                ngx_event_handler_pt onWakeUp) noexcept;

    // After the worker has changed its entry from one with that eventfd (-1: none).
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
