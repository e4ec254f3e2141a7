#include "worker/lingering.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "output/transport.hpp"

namespace sse {

namespace {

// How often they are checked.
constexpr ngx_msec_t kStep = 200;

// A connection is closed if its client has taken nothing of what is on its way to it for this long.
constexpr ngx_msec_t kPatience = 1000;

// What the client's kernel has not acknowledged, the end of the stream included.
int unacknowledgedBytes(const ngx_connection_t* c) noexcept {
    int bytes = 0;
    return ioctl(c->fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

} // namespace

// The timer keeps no process alive: lingering connections have a timer of nginx's, and nothing else matters.
void Lingering::init() noexcept {
    ngx_queue_init(&watched_);
    timer_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Lingering>(e).look(); });
}

// If an allocation fails, nginx's own limits apply.
void Lingering::watch(ngx_http_request_t* request) noexcept {
    ngx_http_request_t* r = request->main;
    ngx_connection_t* c = transportOf(r);
    bool isShared = c != r->connection;
    ngx_pool_t* pool = isShared ? c->pool : r->pool;
    for (ngx_pool_cleanup_t* cleanup = pool->cleanup; cleanup != nullptr; cleanup = cleanup->next) {
        if (cleanup->handler == forget) {
            return;
        }
    }
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(pool, sizeof(Watched));
    if (cleanup == nullptr) {
        return;
    }
    auto* watched = static_cast<Watched*>(cleanup->data);
    *watched = {};
    watched->connection = c;
    watched->request = isShared ? nullptr : r;
    watched->unacknowledged = -1;
    ngx_queue_insert_tail(&watched_, &watched->link);
    cleanup->handler = forget;
}

void Lingering::forget(void* data) noexcept {
    ngx_queue_remove(&static_cast<Watched*>(data)->link);
}

// Whether nginx only waits for the client on this connection.
//
// nginx-internal: http/v2/ngx_http_v2.c, http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a
// connection of HTTP/2 is `reusable` if no stream is being processed and no frame waits. Over HTTP/1
// `lingering_time` is set once all of the answer is with the kernel and what is left of the request is thrown
// away.
bool Lingering::Watched::lingers() const noexcept {
    return request == nullptr ? connection->reusable : request->lingering_time != 0;
}

// A client that is slow to take the last bytes, which may belong to another download, would lose them:
// closing a socket with unread data sends a reset.
bool Lingering::Watched::isDue() noexcept {
    if (!lingers()) {
        unacknowledged = -1;
        return false;
    }
    int bytes = unacknowledgedBytes(connection);
    if (bytes != unacknowledged) {
        unacknowledged = bytes;
        since = ngx_current_msec;
    }
    return ngx_current_msec - since >= kPatience;
}

// nginx-internal: core/ngx_connection.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): closes connections as
// ngx_drain_connections() does when it needs their places.
void Lingering::look() noexcept {
    ngx_queue_t rest;
    ngx_queue_init(&rest);
    ngx_queue_add(&rest, &watched_);
    ngx_queue_init(&watched_);
    while (!ngx_queue_empty(&rest)) {
        ngx_queue_t* q = ngx_queue_head(&rest);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&watched_, q);
        auto* watched = queueItem<Watched>(q, offsetof(Watched, link));
        if (watched->isDue()) {
            ngx_connection_t* c = watched->connection;
            c->close = 1;
            c->read->handler(c->read);
        }
    }
    timer_.wait(kStep);
}

} // namespace sse
