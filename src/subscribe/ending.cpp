// How a stream ends: with its channels, cut off because its worker leaves, or because its time is over.
#include <algorithm>
#include <utility>

#include "sse/notices.hpp"
#include "subscribe/append_notice.hpp"
#include "subscribe/jitter.hpp"
#include "subscribe/subscriber.hpp"

namespace sse {

namespace {

// How long before its access expires a client is told, in milliseconds.
constexpr ngx_msec_t kWarningTime = 1000;

// How long a stream that is blocked may take to end when it has been kicked, in milliseconds.
constexpr ngx_msec_t kKickTime = 1000;

} // namespace

// Whether its client has received more than the zone has, see Catchup::isAhead().
bool Subscriber::isAhead() const noexcept {
    const Zone& zone = member_.feed->tail->zone();
    return zone.bus != nullptr && cursor_ > zone.log.lastId();
}

// If the stream is at the tip of channels that have ended, or has been asked to end, it ends as soon as it is
// not blocked.
bool Subscriber::endIfOver() noexcept {
    if (state_ == State::Live && !member_.feed->pending && member_.feed->ended() && !isAhead()) {
        noteReason(CloseReason::Ended);
        state_ = State::Ending;
        owesEnd_ = true;
    }
    if (state_ != State::Ending || stream_.blocked()) {
        return true;
    }
    return std::exchange(owesEnd_, false) && sendEnd();
}

// Tells the client that its channels have ended. Returns whether the stream is still open, because it is
// blocked.
bool Subscriber::sendEnd() noexcept {
    BatchRef out;
    if (!addEnd(out)) {
        return fail(CloseReason::Error, NGX_ERROR);
    }
    return out.size() != 0 && send(std::move(out)) && stream_.blocked();
}

// For a stream that ends although its channels have not: the client comes back and resumes. Most clients take
// a clean end for that of the channel.
//
// nginx-internal: http/v3/ngx_http_v3_request.c (1.26.3, 1.30.4, 1.31.4): a request that is freed before the
// last of its response counts as a failure of its connection (ngx_http_v3_cleanup_request), so its stream is
// reset. The reset drops what QUIC has not sent or has lost. That may be the end of an event, and a client
// throws such an event away.
void Subscriber::cut() noexcept {
    if (mainConfig(request_)->cut == CutMode::Abort) {
        closeCode_ = NGX_ERROR;
    }
}

// What is in flight ends with a complete event, so a stream that is blocked ends after it, unless by force.
// Returns whether it is still open.
bool Subscriber::end(bool force) noexcept {
    if (state_ != State::Ending) {
        cut();
        state_ = State::Ending;
    }
    if (stream_.blocked() && force) {
        stream_.giveUp();
        closeCode_ = NGX_ERROR;
        return false;
    }
    return stream_.blocked();
}

void Subscriber::onDrain(bool force) noexcept {
    noteReason(CloseReason::Drain);
    if (!end(force)) {
        close();
    }
}

// A stream whose client reads nothing has little time to end after a whole event. Until it has ended, later
// kicks find it again.
void Subscriber::onKick() noexcept {
    if (std::exchange(timeLimit_, TimeLimit::Kick) == TimeLimit::Kick) {
        return;
    }
    noteReason(CloseReason::Kicked);
    isTimeUp_ = false;
    setDeadline(kKickTime);
    if (!end(false)) {
        close();
    }
}

// --- Time ---

// sse_lifetime and sse_expires: whichever is over first.
void Subscriber::limitTime() noexcept {
    ngx_msec_t time = withJitter(config_->lifetime, config_->lifetimeJitter);
    if (expires_ != 0) {
        const ngx_msec_t most = time == 0 ? kMostLifetime : time;
        const ngx_msec_t toExpiry = timeToExpiry();
        timeLimit_ = toExpiry <= most ? TimeLimit::Warning : TimeLimit::Lifetime;
        time = toExpiry <= most ? toExpiry - std::min(toExpiry - 1, kWarningTime) : most;
    }
    if (time != 0) {
        setDeadline(time);
    }
}

void Subscriber::setDeadline(ngx_msec_t time) noexcept {
    deadline_.data = stream_.connection();
    deadline_.handler = onDeadline;
    deadline_.log = ngx_cycle->log;
    deadline_.cancelable = 1;
    ngx_add_timer(&deadline_, time);
}

// In milliseconds: at least one, and not much more than kMostLifetime.
ngx_msec_t Subscriber::timeToExpiry() const noexcept {
    const uint64_t now = unixMilliseconds();
    const uint64_t expiry = std::min<uint64_t>(expires_, (now + kMostLifetime) / 1000 + 1) * 1000;
    return expiry > now ? static_cast<ngx_msec_t>(expiry - now) : 1;
}

// Many may expire in the same second, so each waits for its turn.
//
// nginx-internal: event/ngx_event_timer.c, http/ngx_http_request.c (1.22.1, 1.26.3, 1.30.4, 1.31.4):
// ngx_event_expire_timers() calls all handlers that are due, one after the other. The data of a connection is
// its request, or a subrequest that has its turn.
void Subscriber::onDeadline(ngx_event_t* event) noexcept {
    auto* c = static_cast<ngx_connection_t*>(event->data);
    auto* request = static_cast<ngx_http_request_t*>(c->data)->main;
    Subscriber& self = *contextOf(request)->subscriber;
    self.isTimeUp_ = true;
    self.schedule();
}

// Returns whether the stream is still open. A client whose access expires is told some time before, because
// what comes just before a stream is reset may never reach it. A client that does not read learns of it when
// it comes back.
bool Subscriber::onTimeUp() noexcept {
    switch (timeLimit_) {
    case TimeLimit::Warning:
        if (state_ == State::Ending) {
            return true;
        }
        timeLimit_ = TimeLimit::Expiry;
        ngx_add_timer(&deadline_, timeToExpiry());
        return warn();
    case TimeLimit::Lifetime:
        noteReason(CloseReason::Lifetime);
        break;
    case TimeLimit::Expiry:
        noteReason(CloseReason::Expired);
        break;
    case TimeLimit::Kick:
        break;
    }
    return end(timeLimit_ == TimeLimit::Kick);
}

bool Subscriber::warn() noexcept {
    BatchRef out;
    if (stream_.blocked()) {
        return true;
    }
    return addExpired(out) ? send(std::move(out)) : fail(CloseReason::Error, NGX_ERROR);
}

// --- Notices ---

bool Subscriber::addExpired(BatchRef& out) noexcept {
    return appendNotice(out, [this](Buffer& text) noexcept {
        return sse::addExpired(text, toView(config_->expiredEvent), expires_);
    });
}

bool Subscriber::addEnd(BatchRef& out) noexcept {
    EndForm form;
    if (config_->endsWithEvent != 0) {
        form.type = toView(config_->endEvent);
        form.data = toView(config_->endData);
    }
    if (config_->endRetry != 0) {
        form.retry = static_cast<uint32_t>(config_->endRetry);
    }
    return appendNotice(out, [&form](Buffer& text) noexcept { return sse::addEnd(text, form); });
}

} // namespace sse
