// The life of a request: what is made for it and goes with it, and how it ends.
#pragma once

#include <new>
#include <utility>

#include "ngx.hpp"

namespace sse {

// Memory of the request's pool, which is freed with the pool.
struct PoolMemory {
    static void* take(ngx_pool_t* pool, size_t size) noexcept { return ngx_palloc(pool, size); }
    static void give(void*) noexcept {}
};

// Makes a T that serves the request. NULL without memory. There are two cleanups. When the request ends,
// T::onRequestEnd() must take the object out of everything that knows it. But the object stays until the pool
// goes, because what is still being sent may belong to it.
//
// nginx-internal: http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a stream with frames in the queue
// keeps its pool until they are out (ngx_http_v2_close_stream).
template <typename T, typename Memory = PoolMemory, typename... Arguments>
T* makeForRequest(ngx_http_request_t* r, Arguments&&... arguments) noexcept {
    static_assert(alignof(T) <= NGX_ALIGNMENT);
    ngx_http_cleanup_t* requestEnd = ngx_http_cleanup_add(r, 0);
    ngx_pool_cleanup_t* poolEnd = ngx_pool_cleanup_add(r->pool, 0);
    void* memory = requestEnd == nullptr || poolEnd == nullptr ? nullptr : Memory::take(r->pool, sizeof(T));
    if (memory == nullptr) {
        return nullptr;
    }
    auto* made = new (memory) T(std::forward<Arguments>(arguments)...);
    requestEnd->handler = [](void* object) noexcept { static_cast<T*>(object)->onRequestEnd(); };
    requestEnd->data = made;
    poolEnd->handler = [](void* object) noexcept {
        static_cast<T*>(object)->~T();
        Memory::give(object);
    };
    poolEnd->data = made;
    return made;
}

// Ends a request from outside: from a timer, from a turn of the worker, from the fan-out. After that, nothing
// of the request may be touched.
//
// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_http_terminate_request()
// leaves the rest to a posted request, and nginx runs these only after its own handlers of a connection.
inline void finalizeFromOutside(ngx_http_request_t* r, ngx_int_t rc) noexcept {
    ngx_connection_t* c = r->connection;
    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}

} // namespace sse
