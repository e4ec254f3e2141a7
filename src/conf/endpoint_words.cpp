#include "conf/endpoint_words.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "conf/endpoint.hpp"
#include "conf/words.hpp"

namespace sse {

namespace {

// Makes that handler answer for the location; false if another directive has already set one.
bool answerWith(ngx_conf_t* cf, const ngx_command_t* command, LocationConfig& config,
                ngx_http_handler_pt handler) noexcept {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (core->handler != nullptr) {
        ngx_conf_log_error(
            NGX_LOG_EMERG, cf, 0,
            "\"%V\" and another directive that answers requests are in the same location \"%V\"",
            &command->name, &core->name);
        return false;
    }
    core->handler = handler;
    config.file = cf->conf_file->file.name;
    config.line = cf->conf_file->line;
    return true;
}

// Whether a request can come by that names channels: a text without variables must be one, or a list of them.
bool mayNameChannels(const ngx_http_complex_value_t& value, u_char separator) noexcept {
    return !isFixed(value) || countChannels(toView(value.value), separator) != 0;
}

// Takes "zone=name", once. Returns what a setter does.
char* takeZone(ngx_conf_t* cf, const ngx_command_t* command, const ngx_str_t& word,
               LocationConfig& config) noexcept {
    const ngx_str_t name = parameter(word, "zone");
    if (name.len == 0) {
        return invalid(cf, command, word);
    }
    if (config.zoneName.len != 0) {
        return duplicate(cf, command, word);
    }
    config.zoneName = name;
    return NGX_CONF_OK;
}

// Takes "separator=c", once.
char* takeSeparator(ngx_conf_t* cf, const ngx_command_t* command, const ngx_str_t& word,
                    LocationConfig& config) noexcept {
    const ngx_str_t separator = parameter(word, "separator");
    const u_char character = separator.len == 1 ? separator.data[0] : 'x';
    if (character <= ' ' || character > '~' || isalnum(character)) {
        return invalid(cf, command, word);
    }
    if (config.separator != 0) {
        return duplicate(cf, command, word);
    }
    config.separator = character;
    return NGX_CONF_OK;
}

// Takes "[zone …]". Returns what a setter does.
char* takeZones(ngx_conf_t* cf, std::span<const ngx_str_t> words, ngx_array_t*& zones) noexcept {
    if (zones != nullptr) {
        return kDuplicate;
    }
    zones = makeArray(cf, sizeof(ngx_str_t));
    if (zones == nullptr) {
        return kError;
    }
    for (const ngx_str_t& word : words) {
        if (!pushString(zones, word)) {
            return kError;
        }
    }
    return NGX_CONF_OK;
}

std::optional<StatusFormat> statusFormat(std::string_view name) noexcept {
    return name == "json"         ? std::optional(StatusFormat::Json)
           : name == "prometheus" ? std::optional(StatusFormat::Prometheus)
           : name == "html"       ? std::optional(StatusFormat::Html)
                                  : std::nullopt;
}

} // namespace

// sse_channel expr … [zone=name] [separator=c]
char* setChannel(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.channels != nullptr) {
        return kDuplicate;
    }
    config.channels = makeArray(cf, sizeof(ngx_http_complex_value_t));
    if (config.channels == nullptr) {
        return kError;
    }
    for (ngx_str_t& word : arguments(cf)) {
        char* status = NGX_CONF_OK;
        if (parameter(word, "zone").data != nullptr) {
            status = takeZone(cf, command, word, config);
        } else if (parameter(word, "separator").data != nullptr) {
            status = takeSeparator(cf, command, word, config);
        } else if (!compileInto(cf, word, config.channels)) {
            status = kError;
        }
        if (status != NGX_CONF_OK) {
            return status;
        }
    }
    if (config.channels->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no channel in \"sse_channel\"");
        return kError;
    }
    for (const ngx_http_complex_value_t& value : expressions(config.channels)) {
        if (!mayNameChannels(value, config.separator)) {
            return invalid(cf, command, value.value);
        }
    }
    return answerWith(cf, command, config, mainConfig(cf)->handlers.subscribe) ? NGX_CONF_OK : kError;
}

// sse_publish expr [zone=name]
char* setPublish(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.publish != nullptr) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    if (parameter(words[0], "zone").data != nullptr) {
        return invalid(cf, command, words[0]);
    }
    if (words.size() > 1 && takeZone(cf, command, words[1], config) != NGX_CONF_OK) {
        return kError;
    }
    config.publish = compileNew(cf, words[0]);
    const bool isEmpty = words[0].len == 0; // checked when all has been read
    if (config.publish != nullptr && !isEmpty && !mayNameChannels(*config.publish, 0)) {
        return invalid(cf, command, words[0]);
    }
    return config.publish != nullptr && answerWith(cf, command, config, mainConfig(cf)->handlers.publish)
               ? NGX_CONF_OK
               : kError;
}

// sse_status [format=json|prometheus|html] [zone …]
char* setStatus(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    std::span<const ngx_str_t> words = arguments(cf);
    if (!words.empty() && toView(words[0]).starts_with("format=")) {
        const std::optional<StatusFormat> format = statusFormat(toView(parameter(words[0], "format")));
        if (!format) {
            return invalid(cf, command, words[0]);
        }
        config.statusFormat = *format;
        words = words.subspan(1);
    }
    if (std::ranges::any_of(words,
                            [](const ngx_str_t& word) { return toView(word).starts_with("format="); })) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"format=\" must come first, and once, in \"%V\"",
                           &command->name);
        return kError;
    }
    char* const status = takeZones(cf, words, config.status);
    if (status != NGX_CONF_OK) {
        return status;
    }
    return answerWith(cf, command, config, mainConfig(cf)->handlers.status) ? NGX_CONF_OK : kError;
}

// sse_health [zone …]
char* setHealth(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    char* const status = takeZones(cf, arguments(cf), config.health);
    if (status != NGX_CONF_OK) {
        return status;
    }
    return answerWith(cf, command, config, mainConfig(cf)->handlers.health) ? NGX_CONF_OK : kError;
}

// sse_list off|on|prefix …
char* setList(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.hasList) {
        return kDuplicate;
    }
    config.hasList = true;
    auto words = arguments(cf);
    const std::string_view mode = words.size() == 1 ? toView(words[0]) : std::string_view();
    if (mode == "off" || mode == "on") {
        config.listsAll = mode == "on";
        return NGX_CONF_OK;
    }
    config.list = makeArray(cf, sizeof(ngx_http_complex_value_t));
    if (config.list == nullptr) {
        return kError;
    }
    for (ngx_str_t& word : words) {
        const bool isMode = toView(word) == "on" || toView(word) == "off";
        if (isMode || !compileInto(cf, word, config.list)) {
            return isMode ? invalid(cf, command, word) : kError;
        }
    }
    for (const ngx_http_complex_value_t& prefix : expressions(config.list)) {
        if (!mayNameChannels(prefix, 0)) {
            return invalid(cf, command, prefix.value);
        }
    }
    return NGX_CONF_OK;
}

// sse_kick [zone=name]
char* setKick(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.kick) {
        return kDuplicate;
    }
    config.kick = true;
    for (const ngx_str_t& word : arguments(cf)) {
        if (takeZone(cf, command, word, config) != NGX_CONF_OK) {
            return kError;
        }
    }
    mainConfig(cf)->kicks = true;
    return answerWith(cf, command, config, mainConfig(cf)->handlers.kick) ? NGX_CONF_OK : kError;
}

// sse_later [time [jitter%]]
char* setLater(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.later) {
        return kDuplicate;
    }
    config.later = true;
    char* const status = takeLater(cf, command, arguments(cf), config.laterTime);
    if (status != NGX_CONF_OK) {
        return status;
    }
    return answerWith(cf, command, config, mainConfig(cf)->handlers.later) ? NGX_CONF_OK : kError;
}

} // namespace sse
