#include "conf/words.hpp"

#include "sse/event.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

bool compile(ngx_conf_t* cf, ngx_str_t& text, ngx_http_complex_value_t* value) noexcept {
    ngx_http_compile_complex_value_t request{};
    request.cf = cf;
    request.value = &text;
    request.complex_value = value;
    return ngx_http_compile_complex_value(&request) == NGX_OK;
}

// "33%" as a number from 0 to 100; NGX_ERROR otherwise.
ngx_int_t parsePercent(const ngx_str_t& word) noexcept {
    if (word.len < 2 || word.data[word.len - 1] != '%') {
        return NGX_ERROR;
    }
    const ngx_int_t percent = ngx_atoi(word.data, word.len - 1);
    return percent > 100 ? NGX_ERROR : percent;
}

} // namespace

std::span<ngx_str_t> arguments(ngx_conf_t* cf) noexcept {
    return std::span(static_cast<ngx_str_t*>(cf->args->elts), cf->args->nelts).subspan(1);
}

char* invalid(ngx_conf_t* cf, const ngx_command_t* command, const ngx_str_t& word) noexcept {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\" in \"%V\"", &word, &command->name);
    return kError;
}

char* duplicate(ngx_conf_t* cf, const ngx_command_t* command, const ngx_str_t& word) noexcept {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\" in \"%V\"", &word, &command->name);
    return kError;
}

bool hasVariable(const ngx_str_t& word) noexcept {
    return toView(word).find('$') != std::string_view::npos;
}

bool isType(const ngx_str_t& word) noexcept {
    return isEventType(toView(word)) && !hasVariable(word);
}

ngx_str_t parameter(const ngx_str_t& word, std::string_view key) noexcept {
    const std::string_view text = toView(word);
    if (!text.starts_with(key) || text.size() == key.size() || text[key.size()] != '=') {
        return {0, nullptr};
    }
    return ngxString(dropFirst(text, key.size() + 1));
}

ngx_http_complex_value_t* compileNew(ngx_conf_t* cf, ngx_str_t& text) noexcept {
    auto* value =
        static_cast<ngx_http_complex_value_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t)));
    return value != nullptr && compile(cf, text, value) ? value : nullptr;
}

bool compileInto(ngx_conf_t* cf, ngx_str_t& text, ngx_array_t* values) noexcept {
    auto* value = static_cast<ngx_http_complex_value_t*>(ngx_array_push(values));
    if (value == nullptr) {
        return false;
    }
    *value = {};
    return compile(cf, text, value);
}

std::span<const ngx_http_complex_value_t> expressions(const ngx_array_t* values) noexcept {
    return {static_cast<const ngx_http_complex_value_t*>(values->elts), values->nelts};
}

ngx_array_t* makeArray(ngx_conf_t* cf, size_t itemSize) noexcept {
    return ngx_array_create(cf->pool, 4, itemSize);
}

bool pushString(ngx_array_t* strings, const ngx_str_t& text) noexcept {
    auto* place = static_cast<ngx_str_t*>(ngx_array_push(strings));
    if (place == nullptr) {
        return false;
    }
    *place = text;
    return true;
}

bool takeJitter(std::span<ngx_str_t> words, ngx_uint_t& percent) noexcept {
    if (words.size() == 1) {
        return true;
    }
    const ngx_int_t jitter = parsePercent(words[1]);
    percent = static_cast<ngx_uint_t>(jitter);
    return jitter != NGX_ERROR;
}

char* takeRetry(ngx_conf_t* cf, const ngx_command_t* command, std::span<ngx_str_t> words, ngx_msec_t& time,
                ngx_uint_t& jitter) noexcept {
    const ngx_int_t retry = ngx_parse_time(&words[0], 0);
    if (retry == NGX_ERROR) {
        return invalid(cf, command, words[0]);
    }
    if (retry < static_cast<ngx_int_t>(kMinRetry) || retry > static_cast<ngx_int_t>(kMaxRetry)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" must be between %uDms and %uDms", &command->name,
                           kMinRetry, kMaxRetry);
        return kError;
    }
    time = static_cast<ngx_msec_t>(retry);
    return takeJitter(words, jitter) ? NGX_CONF_OK : invalid(cf, command, words[1]);
}

char* takeLater(ngx_conf_t* cf, const ngx_command_t* command, std::span<ngx_str_t> words,
                LaterTime& later) noexcept {
    later = kDefaultLater;
    return words.empty() ? NGX_CONF_OK : takeRetry(cf, command, words, later.time, later.jitter);
}

} // namespace sse
