#include "worker/wakeups.hpp"

#include <unistd.h>

namespace sse {

bool WakeUps::listen(ngx_cycle_t* cycle, const Registry& registry, void* owner,
                     ngx_event_handler_pt onWakeUp) noexcept {
    bool isPrivate = registry.eventfd() == -1;
    int fd = isPrivate ? Registry::makeEventfd(cycle->log) : registry.eventfd();
    if (fd == -1) {
        return false;
    }
    connection_ = watch(cycle, fd, owner, onWakeUp);
    if (connection_ == nullptr && isPrivate) {
        close(fd);
    }
    return connection_ != nullptr;
}

// nginx-internal: core/ngx_connection.c, os/unix/ngx_process_cycle.c, os/unix/ngx_channel.c (1.22.1, 1.26.3,
// 1.30.4, 1.31.4): the connection is `idle`, so that nginx notifies it when the worker must leave
// (ngx_close_idle_connections), and a `channel`, so that it is not reported at exit
// (ngx_worker_process_exit). Level-triggered and for reading only, like nginx's own channel.
ngx_connection_t* WakeUps::watch(ngx_cycle_t* cycle, int fd, void* owner,
                                 ngx_event_handler_pt onWakeUp) noexcept {
    // nginx-internal: os/unix/ngx_process_cycle.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): one is left for nginx's
    // own channel, without which a worker does not start.
    ngx_connection_t* c = cycle->free_connection_n < 2 ? nullptr : ngx_get_connection(fd, cycle->log);
    if (c == nullptr) {
        return nullptr;
    }
    c->pool = cycle->pool;
    c->data = owner;
    c->read->log = c->write->log = cycle->log;
    c->read->channel = c->write->channel = 1;
    c->read->handler = onWakeUp;
    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_free_connection(c);
        return nullptr;
    }
    c->idle = 1;
    return c;
}

// An eventfd that is not in the registry is closed.
//
// nginx-internal: event/modules/ngx_epoll_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): an event is added and
// deleted by the descriptor that its connection has at that moment.
void WakeUps::follow(const Registry& registry, int before) noexcept {
    if (connection_ == nullptr || registry.eventfd() == before) {
        return;
    }
    int old = connection_->fd;
    ngx_del_event(connection_->read, NGX_READ_EVENT, 0);
    connection_->fd = registry.eventfd();
    if (before == -1) {
        close(old);
    }
    if (ngx_add_event(connection_->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "this worker cannot be woken any more");
    }
}

bool WakeUps::receive() noexcept {
    uint64_t count;
    [[maybe_unused]] ssize_t bytes = read(connection_->fd, &count, sizeof(count));
    return connection_->close;
}

} // namespace sse
