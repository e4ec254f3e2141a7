#include "publish/channel_wait.hpp"

#include <algorithm>
#include <new>

#include "conf/config.hpp"
#include "http/body.hpp"
#include "http/request.hpp"
#include "worker/worker.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// How often the number is looked at: nobody is woken when it changes.
constexpr ngx_msec_t kLookTime = 250;
constexpr ngx_int_t kMostSeconds = 60;

// The number in an argument; nothing if there is none. false if it is no number.
bool readNumber(ngx_http_request_t* r, std::string_view name, std::optional<uint32_t>& number) noexcept {
    std::string_view text;
    if (!firstArgument(r, name, text)) {
        return false;
    }
    if (text.empty()) {
        return true;
    }
    const ngx_str_t digits = ngxString(text);
    const ngx_int_t value = ngx_atoi(digits.data, digits.len);
    if (value == NGX_ERROR || value > INT32_MAX) {
        return false;
    }
    number = static_cast<uint32_t>(value);
    return true;
}

} // namespace

Refusal ChannelWait::read(ngx_http_request_t* r, Wish& wish) noexcept {
    std::optional<uint32_t> seconds;
    std::optional<uint32_t> subscribers;
    if (!readNumber(r, "wait", seconds) || !readNumber(r, "subscribers", subscribers) ||
        seconds.has_value() != subscribers.has_value()) {
        return Refusal::BadWait;
    }
    if (seconds) {
        wish.time = std::min<ngx_msec_t>(*seconds, kMostSeconds) * 1000;
        wish.subscribers = *subscribers;
    }
    return Refusal::None;
}

// A request with a body does not wait: that would have to be read meanwhile.
ngx_int_t ChannelWait::run(ngx_http_request_t* r, RequestContext& context, const Wish& wish,
                           Answer answer) noexcept {
    if (wish.time == 0 || r->method != NGX_HTTP_GET || r != r->main || hasBody(*r) ||
        Worker::self().isDraining()) {
        return answer(r, context);
    }
    ngx_http_cleanup_t* end = ngx_http_cleanup_add(r, 0);
    void* memory = end == nullptr ? nullptr : ngx_palloc(r->pool, sizeof(ChannelWait));
    if (memory == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    auto* wait = new (memory) ChannelWait(r, context, wish, answer);
    if (wait->isFulfilled()) {
        return answer(r, context);
    }
    end->handler = [](void* data) noexcept { static_cast<ChannelWait*>(data)->leave(); };
    end->data = wait;
    wait->start();
    return NGX_DONE;
}

ChannelWait::ChannelWait(ngx_http_request_t* r, RequestContext& context, const Wish& wish,
                         Answer answer) noexcept
    : request_(r), context_(context), subscribers_(wish.subscribers), answer_(answer),
      until_(ngx_current_msec + wish.time) {
    timer_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<ChannelWait>(e).look(); });
    drainable_.owner = this;
    drainable_.drain = [](Drainable& drainable, bool) noexcept {
        static_cast<ChannelWait*>(drainable.owner)->finish();
    };
}

// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4): ngx_http_test_reading() ends the request
// when its client has gone, which with edge-triggered events may have been seen already.
void ChannelWait::start() noexcept {
    ngx_http_request_t* r = request_;
    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);
    }
    Worker::self().add(drainable_);
    isLinked_ = true;
    timer_.wait(kLookTime);
}

// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4): with "post_action" nginx sends the
// request of a client that has gone on to another location, and calls no cleanup. The contexts go with the
// location.
bool ChannelWait::isOver() const noexcept {
    return contextOf(request_) != &context_;
}

// Without the lock it is found out the next time. That nobody listens has to be seen twice: after the death
// of a worker the others announce their subscribers anew.
bool ChannelWait::isFulfilled() noexcept {
    const Zone& zone = *locationConfig(request_)->zone;
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    const uint64_t hash = zone.log.hash(toView(context_.channel));
    const bool isSo = lock && lock->log().findChannel(hash).subscribers == subscribers_;
    seen_ = isSo ? seen_ + 1 : 0;
    return seen_ >= (subscribers_ == 0 ? 2 : 1);
}

void ChannelWait::look() noexcept {
    const bool isLate = static_cast<ngx_msec_int_t>(until_ - ngx_current_msec) <= 0;
    if (isOver() || isLate || isFulfilled()) {
        finish();
    } else {
        timer_.wait(kLookTime);
    }
}

void ChannelWait::finish() noexcept {
    ngx_connection_t* c = request_->connection;
    leave();
    if (isOver()) {
        return;
    }
    ngx_http_finalize_request(request_, answer_(request_, context_));
    ngx_http_run_posted_requests(c);
}

void ChannelWait::leave() noexcept {
    timer_.cancel();
    if (isLinked_) {
        isLinked_ = false;
        Worker::self().remove(drainable_, request_);
    }
}

} // namespace sse
