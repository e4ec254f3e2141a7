#include "conf/publish_words.hpp"

#include <span>
#include <string_view>

#include "conf/words.hpp"
#include "sse/percent.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

using Check = bool (*)(std::string_view text) noexcept;

// Sets the member at command->offset. A value without variables must be empty or pass the check.
char* setDecoded(ngx_conf_t* cf, ngx_command_t* command, void* conf, Check check) noexcept {
    char* const status = ngx_http_set_complex_value_slot(cf, command, conf);
    if (status != NGX_CONF_OK) {
        return status;
    }
    auto* const place =
        reinterpret_cast<ngx_http_complex_value_t**>(static_cast<char*>(conf) + command->offset);
    std::string_view text = toView((*place)->value);
    auto* decoded = static_cast<char*>(ngx_pnalloc(cf->temp_pool, text.size() + 1));
    if (decoded == nullptr) {
        return kError;
    }
    const bool mayBeValid =
        !isFixed(**place) || text.empty() || check({decoded, percentDecode(text, decoded)});
    return mayBeValid ? NGX_CONF_OK : invalid(cf, command, (*place)->value);
}

bool isRetry(std::string_view text) noexcept {
    return parseRetry(text).has_value();
}

bool isEncoding(std::string_view text) noexcept {
    return text == "base64";
}

} // namespace

char* setEventType(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    return setDecoded(cf, command, conf, isEventType);
}

char* setEventId(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    return setDecoded(cf, command, conf, isPublisherId);
}

char* setEventRetry(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    return setDecoded(cf, command, conf, isRetry);
}

char* setEventEncoding(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    return setDecoded(cf, command, conf, isEncoding);
}

// sse_allow_types type …|all
char* setAllowTypes(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.allowedTypes != NGX_CONF_UNSET_PTR) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    config.allowedTypes = makeArray(cf, sizeof(ngx_str_t));
    if (config.allowedTypes == nullptr) {
        return kError;
    }
    config.allowsAllTypes = words.size() == 1 && toView(words[0]) == "all" ? 1 : 0;
    for (const ngx_str_t& word : words) {
        if (!isType(word)) {
            return invalid(cf, command, word);
        }
        if (!pushString(config.allowedTypes, word)) {
            return kError;
        }
    }
    return NGX_CONF_OK;
}

// sse_body_channels off|on|prefix …
char* setBodyChannels(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.bodyChannels != NGX_CONF_UNSET_PTR) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    const bool isAlone = words.size() == 1;
    if (isAlone && toView(words[0]) == "off") {
        config.bodyChannels = nullptr;
        return NGX_CONF_OK;
    }
    config.bodyChannels = makeArray(cf, sizeof(ngx_str_t));
    if (config.bodyChannels == nullptr) {
        return kError;
    }
    config.allowsAllChannels = isAlone && toView(words[0]) == "on" ? 1 : 0;
    for (const ngx_str_t& word : words) {
        const std::string_view prefix = toView(word);
        const bool isMode = prefix == "on" || prefix == "off";
        if (!isChannelName(prefix) || hasVariable(word) || (isMode && !isAlone)) {
            return invalid(cf, command, word);
        }
        if (!pushString(config.bodyChannels, word)) {
            return kError;
        }
    }
    return NGX_CONF_OK;
}

} // namespace sse
