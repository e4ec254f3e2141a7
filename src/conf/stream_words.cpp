#include "conf/stream_words.hpp"

#include <span>
#include <string_view>

#include "conf/words.hpp"
#include "sse/notices.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

// Takes "event=name". false if the word is something else, or the name no type.
bool takeEvent(const ngx_str_t& word, ngx_str_t& type) noexcept {
    type = parameter(word, "event");
    return isType(type);
}

// Takes "retry=time" or "retry=off". false if it is wrong.
bool takeEndRetry(const ngx_str_t& word, ngx_msec_t& retry) noexcept {
    ngx_str_t text = parameter(word, "retry");
    const ngx_int_t time = toView(text) == "off" ? 0 : ngx_parse_time(&text, 0);
    if (text.len == 0 || time == NGX_ERROR || (time == 0 && toView(text) != "off") || time > UINT32_MAX) {
        return false;
    }
    retry = static_cast<ngx_msec_t>(time);
    return true;
}

} // namespace

// --- Where it begins ---

// sse_start new|earliest|last=N|$var
char* setStart(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.start != NGX_CONF_UNSET_UINT) {
        return kDuplicate;
    }
    ngx_str_t& word = arguments(cf)[0];
    std::string_view text = toView(word);
    Start start;
    if (hasVariable(word)) {
        start = Start::Expression;
        config.startExpression = compileNew(cf, word);
        if (config.startExpression == nullptr) {
            return kError;
        }
    } else if (text == "new") {
        start = Start::New;
    } else if (text == "earliest") {
        start = Start::Earliest;
    } else {
        ngx_str_t count = parameter(word, "last");
        ngx_int_t number = count.data == nullptr ? NGX_ERROR : ngx_atoi(count.data, count.len);
        if (number <= 0) {
            return invalid(cf, command, word);
        }
        start = Start::Last;
        config.startCount = static_cast<ngx_uint_t>(number);
    }
    config.start = numberOf(start);
    return NGX_CONF_OK;
}

// sse_cursor expr …
char* setCursor(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.cursors != NGX_CONF_UNSET_PTR) {
        return kDuplicate;
    }
    config.cursors = makeArray(cf, sizeof(ngx_http_complex_value_t));
    if (config.cursors == nullptr) {
        return kError;
    }
    for (ngx_str_t& word : arguments(cf)) {
        if (!compileInto(cf, word, config.cursors)) {
            return kError;
        }
    }
    return NGX_CONF_OK;
}

// sse_history count [age]
char* setHistory(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.historyCount != NGX_CONF_UNSET_UINT) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    ngx_int_t count = ngx_atoi(words[0].data, words[0].len);
    if (count == NGX_ERROR) {
        return invalid(cf, command, words[0]);
    }
    config.historyCount = count == 0 ? NGX_MAX_INT_T_VALUE : static_cast<ngx_uint_t>(count);
    if (words.size() > 1) {
        config.historyAge = ngx_parse_time(&words[1], 1);
        if (config.historyAge <= 0) {
            return invalid(cf, command, words[1]);
        }
    }
    return NGX_CONF_OK;
}

// --- Who may listen, and how many ---

// sse_max_subscribers number [per=channel|key]
char* setMaxSubscribers(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    auto words = arguments(cf);
    Scope scope = Scope::Zone;
    if (words.size() > 1) {
        const std::string_view per = toView(words[1]);
        if (per != "per=channel" && per != "per=key") {
            return invalid(cf, command, words[1]);
        }
        scope = per == "per=key" ? Scope::Key : Scope::Channel;
    }
    ngx_uint_t& limit = config.maxSubscribers[static_cast<size_t>(scope)];
    if (limit != NGX_CONF_UNSET_UINT) {
        return kDuplicate;
    }
    const ngx_int_t number = ngx_atoi(words[0].data, words[0].len);
    if (number == NGX_ERROR || number > INT32_MAX) {
        return invalid(cf, command, words[0]);
    }
    limit = static_cast<ngx_uint_t>(number);
    mainConfig(cf)->counted[static_cast<size_t>(scope)] |= number != 0;
    return NGX_CONF_OK;
}

// sse_reject soft [time [jitter%]]|hard
char* setReject(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.reject != NGX_CONF_UNSET_UINT) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    const bool isSoft = toView(words[0]) == "soft";
    if (!isSoft && toView(words[0]) != "hard") {
        return invalid(cf, command, words[0]);
    }
    config.reject = numberOf(isSoft ? Reject::Soft : Reject::Hard);
    if (!isSoft && words.size() > 1) {
        return invalid(cf, command, words[1]);
    }
    return takeLater(cf, command, words.subspan(1), config.rejectTime);
}

// --- What it contains ---

// sse_retry time [jitter%]
char* setRetry(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.retry != NGX_CONF_UNSET_MSEC) {
        return kDuplicate;
    }
    return takeRetry(cf, command, arguments(cf), config.retry, config.retryJitter);
}

// sse_heartbeat time|off [event=name]
char* setHeartbeat(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.heartbeat != NGX_CONF_UNSET_MSEC) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    if (toView(words[0]) == "off") {
        config.heartbeat = 0;
        return words.size() > 1 ? invalid(cf, command, words[1]) : NGX_CONF_OK;
    }
    ngx_int_t interval = ngx_parse_time(&words[0], 0);
    if (interval <= 0) {
        return invalid(cf, command, words[0]);
    }
    config.heartbeat = static_cast<ngx_msec_t>(interval);
    if (words.size() > 1) {
        if (!takeEvent(words[1], config.heartbeatEvent)) {
            return invalid(cf, command, words[1]);
        }
    }
    return NGX_CONF_OK;
}

// sse_prime event=name|message|off
char* setPrime(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.prime != NGX_CONF_UNSET_UINT) {
        return kDuplicate;
    }
    const ngx_str_t& word = arguments(cf)[0];
    std::string_view text = toView(word);
    Prime prime;
    if (text == "off") {
        prime = Prime::Off;
    } else if (text == "message") {
        prime = Prime::Message;
    } else {
        prime = Prime::Event;
        if (!takeEvent(word, config.primeEvent)) {
            return invalid(cf, command, word);
        }
    }
    config.prime = numberOf(prime);
    return NGX_CONF_OK;
}

// sse_gap event[=name]|close|off
char* setGap(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.gap != NGX_CONF_UNSET_UINT) {
        return kDuplicate;
    }
    const ngx_str_t& word = arguments(cf)[0];
    const std::string_view text = toView(word);
    GapMode mode = GapMode::Event;
    if (text == "close") {
        mode = GapMode::Close;
    } else if (text == "off") {
        mode = GapMode::Off;
    } else if (text == "event") {
        config.gapEvent = ngxString(kGapType);
    } else if (!takeEvent(word, config.gapEvent)) {
        return invalid(cf, command, word);
    }
    config.gap = numberOf(mode);
    return NGX_CONF_OK;
}

// sse_caught_up event=name|off
char* setCaughtUp(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.caughtUpEvent.data != nullptr) {
        return kDuplicate;
    }
    const ngx_str_t& word = arguments(cf)[0];
    if (toView(word) == "off") {
        config.caughtUpEvent = ngx_string("");
        return NGX_CONF_OK;
    }
    return takeEvent(word, config.caughtUpEvent) ? NGX_CONF_OK : invalid(cf, command, word);
}

// sse_end_event name|""|off [data] [retry=time|off]
char* setEndEvent(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.endsWithEvent != NGX_CONF_UNSET) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    config.endRetry = kDefaultEndRetry;
    if (parameter(words.back(), "retry").data != nullptr && words.size() > 1) {
        if (!takeEndRetry(words.back(), config.endRetry) || words[0].len == 0) {
            return invalid(cf, command, words.back());
        }
        words = words.first(words.size() - 1);
    }
    config.endsWithEvent = toView(words[0]) != "off";
    config.endEvent = config.endsWithEvent ? words[0] : ngx_str_t{};
    config.endData = words.size() > 1 ? words[1] : ngx_str_t{};
    const bool isSentinel = config.endsWithEvent && words[0].len == 0;
    if (!isSentinel && !isType(words[0])) {
        return invalid(cf, command, words[0]);
    }
    if (words.size() > 2 || (words.size() > 1 && config.endsWithEvent == 0)) {
        return invalid(cf, command, words.back());
    }
    if (!isDataLine(toView(config.endData)) || (isSentinel && config.endData.len == 0)) {
        return invalid(cf, command, words.back());
    }
    return NGX_CONF_OK;
}

// --- How long it lasts ---

// sse_lifetime time|off [jitter%]
char* setLifetime(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.lifetime != NGX_CONF_UNSET_MSEC) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    const bool isOff = toView(words[0]) == "off";
    const ngx_int_t time = isOff ? 0 : ngx_parse_time(&words[0], 0);
    if (time == NGX_ERROR || (time == 0 && !isOff) || time > static_cast<ngx_int_t>(kMostLifetime)) {
        return invalid(cf, command, words[0]);
    }
    config.lifetime = static_cast<ngx_msec_t>(time);
    const bool isValid = takeJitter(words, config.lifetimeJitter) && !(isOff && words.size() > 1);
    return isValid ? NGX_CONF_OK : invalid(cf, command, words[1]);
}

// sse_expires expr|off [event=name]
char* setExpires(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.expires != NGX_CONF_UNSET_PTR) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    config.expiredEvent = ngxString(kExpiredType);
    if (words.size() > 1 && !takeEvent(words[1], config.expiredEvent)) {
        return invalid(cf, command, words[1]);
    }
    if (toView(words[0]) == "off") {
        config.expires = nullptr;
        return words.size() > 1 ? invalid(cf, command, words[1]) : NGX_CONF_OK;
    }
    config.expires = compileNew(cf, words[0]);
    if (config.expires == nullptr) {
        return kError;
    }
    const bool mayBeTime =
        !isFixed(*config.expires) || words[0].len == 0 || ngx_atotm(words[0].data, words[0].len) != NGX_ERROR;
    return mayBeTime ? NGX_CONF_OK : invalid(cf, command, words[0]);
}

} // namespace sse
