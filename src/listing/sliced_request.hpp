// A request that is answered after work that takes longer than a slice. The work begins at once, and goes on
// between the worker's other work. It ends if the client or the worker leaves.
#pragma once

#include <new>
#include <utility>

#include "http/refusals.hpp"
#include "http/request_context.hpp"
#include "worker/drain.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class SlicedRequest {
public:
    // Makes a Work from the arguments, which lives as long as the request's pool, and runs it. Its member
    // `bool runSlice() noexcept` returns whether another slice is to follow. After the last one its member
    // `ngx_int_t answer(Refusal) noexcept` sends the answer, or that refusal if there is one. Both answer()
    // and this function return what a content handler returns.
    template <typename Work, typename... Arguments>
    static ngx_int_t run(ngx_http_request_t* r, RequestContext& context, Arguments&&... arguments) noexcept {
        ngx_pool_cleanup_t* end = ngx_pool_cleanup_add(r->pool, sizeof(Work));
        if (end == nullptr) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        new (end->data) Work(std::forward<Arguments>(arguments)...);
        end->handler = [](void* work) noexcept { static_cast<Work*>(work)->~Work(); };
        return run(
            r, context,
            {end->data, [](void* work) noexcept { return static_cast<Work*>(work)->runSlice(); },
             [](void* work, Refusal refusal) noexcept { return static_cast<Work*>(work)->answer(refusal); }});
    }

    // What it does in slices.
    struct Job {
        void* work;
        bool (*runSlice)(void* work) noexcept;
        ngx_int_t (*answer)(void* work, Refusal refusal) noexcept;
    };
    SlicedRequest(ngx_http_request_t* r, const Job& job) noexcept;
    void onRequestEnd() noexcept { leave(); }

private:
    static ngx_int_t run(ngx_http_request_t* r, RequestContext& context, const Job& job) noexcept;
    static void onClient(ngx_http_request_t* r) noexcept;
    bool wait() noexcept;
    void goOn() noexcept;
    void finish(Refusal refusal) noexcept;
    void leave() noexcept;

    ngx_http_request_t* request_;
    Job job_;
    Task task_;
    Drainable drainable_{};
    bool isLinked_ = false;
};

} // namespace sse
