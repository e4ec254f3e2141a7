#include "bus/pulse.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "bus/decimal.hpp"
#include "bus/sync.hpp"
#include "http/random.hpp"
#include "sse/log_text.hpp"
#include "zone.hpp"

namespace sse {

namespace {

// The time from one beat to the next; also for how long the stream must have been silent before a probe.
constexpr ngx_msec_t kBeat = 1000;
// Something is wrong if no answer comes for kPatience, or if a probe that was taken does not come back within
// kPatienceWithProbe.
constexpr ngx_msec_t kPatience = 2000;
constexpr ngx_msec_t kPatienceWithProbe = 3000;
// While entries come, they are more than an answer, but for no longer than this.
constexpr ngx_msec_t kMostPatience = 10'000;
constexpr ngx_msec_t kLogTime = 10'000;

// A server trims no more than a hundred nodes at a time. So a command that has trimmed this many entries is
// sent again, up to kMostTrims times in a beat. Otherwise the stream would grow without end if more is added
// in a second.
constexpr int64_t kMuchTrimmed = 1000;
constexpr unsigned kMostTrims = 100;

} // namespace

void Pulse::init(const BusConfig& config, const Owner& owner) noexcept {
    config_ = &config;
    state_ = config.state;
    owner_ = owner;
    connection_.init(
        config,
        {.self = this,
         .onReady = [](void*) noexcept {},
         .onReply = [](void* self,
                       const Reply& reply) noexcept { return static_cast<Pulse*>(self)->onReply(reply); },
         .onClosed = [](void* self,
                        std::string_view why) noexcept { static_cast<Pulse*>(self)->onClosed(why); }},
        64 * 1024);

    // A random number, because another machine may have the same name, and this process may have the pid of
    // one that has died.
    char text[16];
    const auto end = std::to_chars(text, text + sizeof(text), randomNumber(), 16).ptr;
    machine_.append({text, static_cast<size_t>(end - text)});
}

void Pulse::start(ngx_uint_t address) noexcept {
    stop();
    isRunning_ = true;
    address_ = address;
    heardAt_ = ngx_current_msec - kBeat; // probe at once
    isUnderway_ = false;
    connection_.prefer(address);
    connection_.open();
}

void Pulse::stop() noexcept {
    isRunning_ = false;
    asks_ = answers_ = 0;
    connection_.close();
}

void Pulse::keepUp() noexcept {
    if (!isRunning_ || !connection_.isReady()) {
        return;
    }
    const ngx_msec_t now = ngx_current_msec;
    const ngx_msec_t silence = now - heardAt_; // of the stream, which may be all that the line has room for
    if (asks_ != answers_) {
        const ngx_msec_t wait = now - askedAt_;
        if (std::min(wait, silence) >= kPatience || wait >= kMostPatience) {
            fail("no answer in time");
        }
    } else if (isUnderway_ && isAccepted_ && std::min(now - sentAt_, silence) >= kPatienceWithProbe) {
        fail("a probe has not come back");
    } else if (now - beatAt_ >= kBeat) {
        beat();
    }
}

// --- Asking ---

void Pulse::beat() noexcept {
    asks_ = answers_ = 0;
    trims_ = 0;
    beatAt_ = ngx_current_msec;
    ask(Asked::Lineage, {"GET", toView(config_->lineageKey)});
    ask(Asked::Role, {"ROLE"});
    if (!isUnderway_ && ngx_current_msec - heardAt_ >= kBeat) {
        probe();
    }
    ask(Asked::Time, {"TIME"});
    if (config_->max != 0) {
        trim(Asked::TrimCount);
    }
    connection_.flush();
}

void Pulse::ask(Asked what, std::initializer_list<std::string_view> words) noexcept {
    asked_[asks_++ % kMostAsked] = what;
    askedAt_ = ngx_current_msec;
    connection_.add(words);
}

void Pulse::probe() noexcept {
    token_.clear();
    token_.append(machine_.view());
    token_.append("-");
    token_.append(Decimal(++sent_).view());
    isUnderway_ = true;
    isAccepted_ = false;
    sentAt_ = ngx_current_msec;
    ask(Asked::Probe,
        {"XADD", toView(config_->controlKey), "MAXLEN", "~", kControlLength, "*", "probe", token_.view()});
}

void Pulse::onProbe(std::string_view token) noexcept {
    if (isUnderway_ && token == token_.view()) {
        isUnderway_ = false;
        heardAt_ = ngx_current_msec;
        state_->lag = ngx_current_msec - sentAt_;
        state_->lastSeen = ngx_current_msec;
        add(state_->probes);
    }
}

// --- Answers ---

bool Pulse::onReply(const Reply& reply) noexcept {
    if (answers_ == asks_) {
        fail("an answer that nobody has asked for");
        return true;
    }
    onAnswer(asked_[answers_++ % kMostAsked], reply);
    return true;
}

void Pulse::onAnswer(Asked asked, const Reply& reply) noexcept {
    if (isOfServer(reply)) {
        return fail(reply.text);
    }
    if (reply.is(Reply::Type::Error)) {
        isUnderway_ = isUnderway_ && asked != Asked::Probe;
        return onRefusal(reply.text);
    }
    switch (asked) {
    case Asked::Lineage:
        return onLineage(reply);
    case Asked::Role:
        if (const Reply* role = reply.at(0); role == nullptr || role->text != "master") {
            fail("the server is no master any more");
        }
        return;
    case Asked::Probe:
        isAccepted_ = true;
        return;
    case Asked::Time:
        return onTime(reply);
    case Asked::TrimAge:
    case Asked::TrimCount:
    case Asked::TrimControl:
        return onTrimmed(asked, reply);
    }
}

void Pulse::onLineage(const Reply& reply) noexcept {
    const std::optional<uint64_t> lineage = parseLineage(reply.text);
    if (!lineage || *lineage != state_->lineage.load()) {
        fail("the stream has been flushed or replaced");
    }
}

void Pulse::onTime(const Reply& reply) noexcept {
    const std::optional<uint64_t> time = readTime(reply);
    if (!time) {
        return;
    }
    owner_.onTime(owner_.self, *time);
    if (*time <= config_->keep) {
        return;
    }
    oldest_ = *time - config_->keep;
    trim(Asked::TrimAge);
    trim(Asked::TrimControl);
    connection_.flush();
}

void Pulse::trim(Asked what) noexcept {
    const bool isByCount = what == Asked::TrimCount;
    const ngx_str_t& key = what == Asked::TrimControl ? config_->controlKey : config_->stream;
    const Decimal limit(isByCount ? config_->max : oldest_);
    ask(what, {"XTRIM", toView(key), isByCount ? "MAXLEN" : "MINID", "~", limit.view()});
}

void Pulse::onTrimmed(Asked what, const Reply& reply) noexcept {
    if (reply.integer >= kMuchTrimmed && ++trims_ <= kMostTrims) {
        trim(what);
        connection_.flush();
    }
}

// A write was refused, because the server is full or must not take it: reading goes on.
void Pulse::onRefusal(std::string_view why) noexcept {
    if (loggedAt_ != 0 && ngx_current_msec - loggedAt_ < kLogTime) {
        return;
    }
    loggedAt_ = ngx_current_msec;
    const LogText reason(why);
    const ngx_str_t text = ngxString(reason.view());
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "sse: bus \"%V\": Redis refuses to trim or to probe the stream: %V", &config_->zone->name,
                  &text);
}

// Connects to the same address for as long as the follower reads from it.
void Pulse::onClosed(std::string_view) noexcept {
    asks_ = answers_ = 0;
    isUnderway_ = false;
    connection_.prefer(address_);
    connection_.open();
}

void Pulse::fail(std::string_view why) noexcept {
    owner_.onWrong(owner_.self, why);
}

} // namespace sse
