#include "publish/channel_wait.hpp"

#include <algorithm>
#include <new>
#include <optional>

#include "conf/config.hpp"
#include "http/body.hpp"
#include "http/request.hpp"
#include "http/respond.hpp"
#include "worker/worker.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// How often the number is looked at.
constexpr ngx_msec_t kLookTime = 100;
constexpr ngx_int_t kMostSeconds = 60;

// The number in an argument; nothing if there is none.
Refusal readNumber(ngx_http_request_t* r, std::string_view name, std::optional<uint32_t>& number) noexcept {
    std::string_view text;
    if (!firstArgument(r, name, text)) {
        return Refusal::NoMemory;
    }
    if (text.empty()) {
        return Refusal::None;
    }
    const ngx_str_t digits = ngxString(text);
    const ngx_int_t value = ngx_atoi(digits.data, digits.len);
    if (value == NGX_ERROR || value > INT32_MAX) {
        return Refusal::BadWait;
    }
    number = static_cast<uint32_t>(value);
    return Refusal::None;
}

// Nothing without the lock.
std::optional<ChannelState> stateOf(ngx_http_request_t* r, const RequestContext& context) noexcept {
    const Zone& zone = *locationConfig(r)->zone;
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock) {
        return std::nullopt;
    }
    return lock->log().findChannel(zone.log.hash(toView(context.channel)));
}

// A request with a body does not wait: that would have to be read meanwhile.
bool mayWait(const ngx_http_request_t& r, const ChannelWait::Wish& wish) noexcept {
    return wish.time != 0 && r.method == NGX_HTTP_GET && &r == r.main && !hasBody(r);
}

// nginx-internal: event/quic/ngx_event_quic_streams.c (1.26.3, 1.30.4): over HTTP/3 a client that does not
// want the answer any more is reported here, and to no handler of what is read.
void onWrite(ngx_http_request_t* r) noexcept {
    if (r->connection->error || r->connection->write->error) {
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    }
}

} // namespace

Refusal ChannelWait::read(ngx_http_request_t* r, Wish& wish) noexcept {
    std::optional<uint32_t> seconds;
    std::optional<uint32_t> subscribers;
    for (const Refusal refusal :
         {readNumber(r, "wait", seconds), readNumber(r, "subscribers", subscribers)}) {
        if (refusal != Refusal::None) {
            return refusal;
        }
    }
    if (seconds.has_value() != subscribers.has_value()) {
        return Refusal::BadWait;
    }
    if (seconds) {
        wish.time = std::min<ngx_msec_t>(*seconds, kMostSeconds) * 1000;
        wish.subscribers = *subscribers;
    }
    return Refusal::None;
}

ngx_int_t ChannelWait::run(ngx_http_request_t* r, RequestContext& context, const Wish& wish,
                           Answer answer) noexcept {
    const std::optional<ChannelState> state = stateOf(r, context);
    if (state && (!mayWait(*r, wish) || wish.isMetBy(*state))) {
        return answer(r, context, *state);
    }
    if (!mayWait(*r, wish)) {
        return refuse(r, Refusal::Locked);
    }
    if (Worker::self().isDraining()) {
        return refuse(r, Refusal::WaitCutByDrain);
    }
    ngx_http_cleanup_t* end = ngx_http_cleanup_add(r, 0);
    void* memory = end == nullptr ? nullptr : ngx_palloc(r->pool, sizeof(ChannelWait));
    if (memory == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    auto* wait = new (memory) ChannelWait(r, context, wish, answer);
    end->handler = [](void* data) noexcept { static_cast<ChannelWait*>(data)->leave(); };
    end->data = wait;
    wait->start();
    return NGX_DONE;
}

ChannelWait::ChannelWait(ngx_http_request_t* r, RequestContext& context, const Wish& wish,
                         Answer answer) noexcept
    : request_(r), context_(context), wish_(wish), answer_(answer), until_(ngx_current_msec + wish.time) {
    timer_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<ChannelWait>(e).look(false); });
    drainable_.owner = this;
    drainable_.drain = [](Drainable& drainable, bool) noexcept {
        static_cast<ChannelWait*>(drainable.owner)->look(true);
    };
}

// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4): ngx_http_test_reading() ends the request
// when its client has gone, which with edge-triggered events may have been seen already. It leaves on the
// connection what may be the next request.
void ChannelWait::start() noexcept {
    ngx_http_request_t* r = request_;
    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = onWrite;
    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);
    }
    Worker::self().add(drainable_);
    isLinked_ = true;
    timer_.wait(std::min(kLookTime, wish_.time));
}

// nginx-internal: http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4): with "post_action" nginx sends the
// request of a client that has gone on to another location, and calls no cleanup before that has ended. The
// contexts go with the location.
bool ChannelWait::isOver() const noexcept {
    return contextOf(request_) != &context_;
}

// Without the lock the number is found out the next time.
void ChannelWait::look(bool mustLeave) noexcept {
    if (isOver()) {
        leave();
        return;
    }
    const std::optional<ChannelState> state = stateOf(request_, context_);
    const bool isMet = state && wish_.isMetBy(*state);
    const auto left = static_cast<ngx_msec_int_t>(until_ - ngx_current_msec);
    if (!isMet && !mustLeave && left > 0) {
        timer_.wait(std::min(kLookTime, static_cast<ngx_msec_t>(left)));
        return;
    }
    ngx_connection_t* c = request_->connection;
    leave();
    const ngx_int_t rc = mustLeave && !isMet ? refuse(request_, Refusal::WaitCutByDrain)
                         : !state            ? refuse(request_, Refusal::Locked)
                                             : answer_(request_, context_, *state);
    ngx_http_finalize_request(request_, rc);
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
