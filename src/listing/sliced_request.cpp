#include "listing/sliced_request.hpp"

#include "http/body.hpp"
#include "http/client_end.hpp"
#include "http/request_life.hpp"
#include "worker/worker.hpp"

namespace sse {

SlicedRequest::SlicedRequest(ngx_http_request_t* r, const Job& job) noexcept : request_(r), job_(job) {
    task_.owner = this;
    task_.run = [](void* self) noexcept { static_cast<SlicedRequest*>(self)->goOn(); };
    drainable_.owner = this;
    drainable_.drain = [](Drainable& drainable, bool force) noexcept {
        if (force) {
            static_cast<SlicedRequest*>(drainable.owner)->finish(Refusal::WaitCutByDrain);
        }
    };
}

ngx_int_t SlicedRequest::run(ngx_http_request_t* r, RequestContext& context, const Job& job) noexcept {
    if (!Worker::self().isBusy() && !job.runSlice(job.work)) {
        return job.answer(job.work, Refusal::None);
    }
    context.sliced = makeForRequest<SlicedRequest>(r, r, job);
    const bool isWaiting = context.sliced != nullptr && context.sliced->wait();
    return isWaiting ? NGX_DONE : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

// Waits for its turn. The client of a request with a body is not watched: the body would have to be read
// meanwhile. false: nginx cannot watch the connection.
bool SlicedRequest::wait() noexcept {
    ngx_http_request_t* r = request_;
    if (r == r->main && !hasBody(*r)) {
        if (!watchClient(r, onClient)) {
            return false;
        }
        r->write_event_handler = onClient;
    }
    r->main->count++;
    Worker::self().add(drainable_);
    isLinked_ = true;
    Worker::self().schedule(task_);
    return true;
}

// The client has sent something, or is gone: see Poller::onClient().
void SlicedRequest::onClient(ngx_http_request_t* r) noexcept {
    if (!hasClientGone(r)) {
        return;
    }
    r->connection->error = 1;
    contextOf(r)->sliced->leave();
    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}

void SlicedRequest::goOn() noexcept {
    if (job_.runSlice(job_.work)) {
        Worker::self().schedule(task_);
    } else {
        finish(Refusal::None);
    }
}

void SlicedRequest::finish(Refusal refusal) noexcept {
    leave();
    request_->read_event_handler = ngx_http_block_reading;
    request_->write_event_handler = ngx_http_request_empty_handler;
    finalizeFromOutside(request_, job_.answer(job_.work, refusal));
}

void SlicedRequest::leave() noexcept {
    Worker::self().cancel(task_);
    if (isLinked_) {
        isLinked_ = false;
        Worker::self().remove(drainable_, request_);
    }
}

} // namespace sse
