#include "publish/channel_wait.hpp"

#include <algorithm>

#include "conf/config.hpp"
#include "http/body.hpp"
#include "http/client_end.hpp"
#include "http/request.hpp"
#include "http/request_life.hpp"
#include "http/respond.hpp"
#include "worker/worker.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// How often the number is looked at.
constexpr ngx_msec_t kLookTime = 100;

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

// Nothing without the lock, or while the zone is not filled.
std::optional<ChannelState> stateOf(ngx_http_request_t* r, const RequestContext& context) noexcept {
    const Zone& zone = *locationConfig(r)->zone;
    std::optional<ZoneLock> lock = ZoneLock::acquire(zone);
    if (!lock || !isFilled(zone)) {
        return std::nullopt;
    }
    return lock->log().findChannel(zone.log.hash(toView(context.channel)));
}

// Why the state is not known.
Refusal refusalOf(ngx_http_request_t* r) noexcept {
    return isFilled(*locationConfig(r)->zone) ? Refusal::Locked : Refusal::NotFilled;
}

// A request with a body does not wait: the body would have to be read meanwhile.
bool mayWait(const ngx_http_request_t& r, const ChannelWait::Wish& wish) noexcept {
    return wish.time != 0 && r.method == NGX_HTTP_GET && &r == r.main && !hasBody(r);
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
        if (*seconds > static_cast<uint32_t>(kMostWait)) {
            return Refusal::BadWaitTime;
        }
        wish.time = ngx_msec_t{*seconds} * 1000;
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
        return refuse(r, refusalOf(r));
    }
    if (Worker::self().isDraining()) {
        return refuse(r, Refusal::WaitCutByDrain);
    }
    context.channelWait = makeForRequest<ChannelWait>(r, r, context, wish, answer);
    const bool isWaiting = context.channelWait != nullptr && context.channelWait->start();
    return isWaiting ? NGX_DONE : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ChannelWait::ChannelWait(ngx_http_request_t* r, RequestContext& context, const Wish& wish,
                         Answer answer) noexcept
    : request_(r), context_(context), wish_(wish), answer_(answer), until_(ngx_current_msec + wish.time) {
    timer_.init(this, onTime);
    task_.owner = this;
    task_.run = onTurn;
    drainable_.owner = this;
    drainable_.drain = onDrain;
}

// false: nginx cannot watch the connection.
bool ChannelWait::start() noexcept {
    ngx_http_request_t* r = request_;
    if (!watchClient(r, onRead)) {
        return false;
    }
    r->write_event_handler = onRead;
    r->main->count++;
    Worker::self().add(drainable_);
    isLinked_ = true;
    timer_.wait(std::min(kLookTime, wish_.time));
    return true;
}

// The client has sent something, or is gone: see Poller::onClient().
void ChannelWait::onRead(ngx_http_request_t* r) noexcept {
    if (!hasClientGone(r)) {
        return;
    }
    r->connection->error = 1;
    contextOf(r)->channelWait->leave();
    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}

// The wishes of many requests may be met, or their time be up, at the same moment. So each is answered in its
// turn; see Subscriber::onDeadline().
void ChannelWait::onTime(ngx_event_t* event) noexcept {
    auto& self = LoopEvent::owner<ChannelWait>(event);
    if (!self.waitOn(stateOf(self.request_, self.context_))) {
        Worker::self().schedule(self.task_);
    }
}

// The number may have changed since.
void ChannelWait::onTurn(void* self) noexcept {
    auto& wait = *static_cast<ChannelWait*>(self);
    const std::optional<ChannelState> state = stateOf(wait.request_, wait.context_);
    if (!wait.waitOn(state)) {
        wait.finish(state, Refusal::None);
    }
}

void ChannelWait::onDrain(Drainable& drainable, bool) noexcept {
    auto& self = *static_cast<ChannelWait*>(drainable.owner);
    const std::optional<ChannelState> state = stateOf(self.request_, self.context_);
    const bool isMet = state && self.wish_.isMetBy(*state);
    self.finish(state, isMet ? Refusal::None : Refusal::WaitCutByDrain);
}

// Waits until the number is looked at again. false: the request is to be answered now. A state that is not
// known now is read the next time.
bool ChannelWait::waitOn(const std::optional<ChannelState>& state) noexcept {
    const auto left = static_cast<ngx_msec_int_t>(until_ - ngx_current_msec);
    if (left <= 0 || (state && wish_.isMetBy(*state))) {
        return false;
    }
    timer_.wait(std::min(kLookTime, static_cast<ngx_msec_t>(left)));
    return true;
}

void ChannelWait::finish(const std::optional<ChannelState>& state, Refusal refusal) noexcept {
    leave();
    request_->read_event_handler = ngx_http_block_reading;
    request_->write_event_handler = ngx_http_request_empty_handler;
    if (refusal == Refusal::None && !state) {
        refusal = refusalOf(request_);
    }
    const ngx_int_t rc =
        refusal != Refusal::None ? refuse(request_, refusal) : answer_(request_, context_, *state);
    finalizeFromOutside(request_, rc);
}

void ChannelWait::leave() noexcept {
    timer_.cancel();
    Worker::self().cancel(task_);
    if (isLinked_) {
        isLinked_ = false;
        Worker::self().remove(drainable_, request_);
    }
}

} // namespace sse
