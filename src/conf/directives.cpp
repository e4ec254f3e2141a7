// The table of the directives, at the end, and the setters of those that nginx's own setters cannot handle.
#include "conf/directives.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

#include "conf/bus_words.hpp"
#include "conf/config.hpp"
#include "counters/zone_counters.hpp"
#include "keys/keys.hpp"
#include "roster/registry.hpp"
#include "sse/event.hpp"
#include "sse/notices.hpp"
#include "sse/origin.hpp"
#include "sse/percent.hpp"
#include "sse/token.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

char* const kError = static_cast<char*>(NGX_CONF_ERROR);
char kDuplicate[] = "is duplicate";
constexpr std::string_view kListSeparator = ", "; // of the values in a header

// The words of the directive after its name.
std::span<ngx_str_t> arguments(ngx_conf_t* cf) noexcept {
    return std::span(static_cast<ngx_str_t*>(cf->args->elts), cf->args->nelts).subspan(1);
}

char* invalid(ngx_conf_t* cf, const ngx_command_t* command, const ngx_str_t& word) noexcept {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\" in \"%V\"", &word, &command->name);
    return kError;
}

// The value of a word "key=value"; its data is NULL if the word has another key.
ngx_str_t parameter(const ngx_str_t& word, std::string_view key) noexcept {
    std::string_view text = toView(word);
    if (!text.starts_with(key) || text.size() == key.size() || text[key.size()] != '=') {
        return {0, nullptr};
    }
    return ngxString(dropFirst(text, key.size() + 1));
}

bool compile(ngx_conf_t* cf, ngx_str_t& text, ngx_http_complex_value_t* value) noexcept {
    ngx_http_compile_complex_value_t request{};
    request.cf = cf;
    request.value = &text;
    request.complex_value = value;
    return ngx_http_compile_complex_value(&request) == NGX_OK;
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

// Whether no request can change the value.
bool isFixed(const ngx_http_complex_value_t& value) noexcept {
    return value.lengths == nullptr;
}

ngx_array_t* makeArray(ngx_conf_t* cf, size_t itemSize) noexcept {
    return ngx_array_create(cf->pool, 4, itemSize);
}

// false without memory.
bool pushString(ngx_array_t* strings, const ngx_str_t& text) noexcept {
    auto* place = static_cast<ngx_str_t*>(ngx_array_push(strings));
    if (place == nullptr) {
        return false;
    }
    *place = text;
    return true;
}

// --- Zones ---

// The size of a zone in bytes; 0, and the reason is logged, if there cannot be such a zone.
size_t parseZoneSize(ngx_conf_t* cf, const ngx_command_t* command, std::span<ngx_str_t> words) noexcept {
    ssize_t size = ngx_parse_size(&words[1]);
    if (size == NGX_ERROR) {
        invalid(cf, command, words[1]);
        return 0;
    }
    if (static_cast<size_t>(size) < leastSize(kMinZoneSize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" in \"sse_zone\" is too small, at least %uz bytes", &words[0],
                           leastSize(kMinZoneSize));
        return 0;
    }
    return static_cast<size_t>(size);
}

// The channels of a zone of this size; 0, and the reason is logged, if it cannot have so many.
ngx_uint_t parseZoneChannels(ngx_conf_t* cf, const ngx_command_t* command, std::span<ngx_str_t> words,
                             size_t size) noexcept {
    ngx_uint_t channels = defaultChannels(size);
    if (words.size() > 2) {
        ngx_str_t count = parameter(words[2], "channels");
        ngx_int_t number = count.data == nullptr ? NGX_ERROR : ngx_atoi(count.data, count.len);
        if (number <= 0 || number > INT32_MAX) {
            invalid(cf, command, words[2]);
            return 0;
        }
        channels = static_cast<ngx_uint_t>(number);
    }
    if (expectedCapacity(size, channels) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" in \"sse_zone\" is too small for %ui channels",
                           &words[0], channels);
        return 0;
    }
    return channels;
}

struct ZoneWords {
    ngx_str_t name;
    size_t size;
    ngx_uint_t channels;
};

// What the words of sse_zone say; nothing, and the reason is logged, if there cannot be such a zone.
std::optional<ZoneWords> parseZone(ngx_conf_t* cf, const ngx_command_t* command,
                                   const MainConfig& config) noexcept {
    auto words = arguments(cf);
    size_t size = parseZoneSize(cf, command, words);
    ngx_uint_t channels = size == 0 ? 0 : parseZoneChannels(cf, command, words, size);
    if (channels == 0) {
        return std::nullopt;
    }
    const std::string_view name = toView(words[0]);
    if (name == Registry::kZoneName || name == Keys::kZoneName || name.starts_with(kBusMemory) ||
        name.starts_with(kCounterMemory)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" in \"sse_zone\" is the module's own",
                           &words[0]);
        return std::nullopt;
    }
    if (findZone(config, name) != nullptr) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" in \"sse_zone\" is duplicate", &words[0]);
        return std::nullopt;
    }
    return ZoneWords{words[0], size, channels};
}

// Asks nginx for the shared memory and adds the zone to the configuration. false after an error.
bool registerZone(ngx_conf_t* cf, MainConfig& config, const ZoneWords& words) noexcept {
    auto* zone = static_cast<Zone*>(ngx_pcalloc(cf->pool, sizeof(Zone)));
    auto** place = static_cast<Zone**>(ngx_array_push(&config.zones));
    if (zone == nullptr || place == nullptr) {
        return false;
    }
    zone->name = words.name;
    zone->size = words.size;
    zone->channels = words.channels;
    zone->shared = ngx_shared_memory_add(cf, &zone->name, zone->size, &ngx_http_sse_module);
    if (zone->shared == nullptr) {
        return false;
    }
    if (zone->shared->data != nullptr) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" in \"sse_zone\" is already bound", &zone->name);
        return false;
    }
    zone->shared->init = initZone;
    zone->shared->data = zone;
    *place = zone;
    return addCounters(cf, *zone);
}

// sse_zone name size [channels=n]
char* setZone(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<MainConfig*>(conf);
    std::optional<ZoneWords> words = parseZone(cf, command, config);
    return words && registerZone(cf, config, *words) ? NGX_CONF_OK : kError;
}

// sse_keys size
char* setKeys(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<MainConfig*>(conf);
    if (config.keysSize != NGX_CONF_UNSET_SIZE) {
        return kDuplicate;
    }
    ngx_str_t& word = arguments(cf)[0];
    const ssize_t size = ngx_parse_size(&word);
    if (size == NGX_ERROR) {
        return invalid(cf, command, word);
    }
    if (static_cast<size_t>(size) < leastSize(Keys::kMinSize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"sse_keys\" is too small, at least %uz bytes",
                           leastSize(Keys::kMinSize));
        return kError;
    }
    config.keysSize = static_cast<size_t>(size);
    return NGX_CONF_OK;
}

// --- What a location is ---

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

std::span<const ngx_http_complex_value_t> expressions(const ngx_array_t* values) noexcept {
    return {static_cast<const ngx_http_complex_value_t*>(values->elts), values->nelts};
}

// Whether a request can come by that names channels: a text without variables must be one, or a list of them.
bool mayNameChannels(const ngx_http_complex_value_t& value, u_char separator) noexcept {
    std::string_view list = toView(value.value);
    if (!isFixed(value) || separator == 0) {
        return !isFixed(value) || isChannelName(list);
    }
    while (!list.empty()) {
        const size_t end = std::min(list.find(static_cast<char>(separator)), list.size());
        if (end != 0 && !isChannelName(list.substr(0, end))) {
            return false;
        }
        list = dropFirst(list, std::min(end + 1, list.size()));
    }
    return true;
}

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
        if (ngx_str_t zone = parameter(word, "zone"); zone.data != nullptr) {
            config.zoneName = zone;
        } else if (ngx_str_t separator = parameter(word, "separator"); separator.data != nullptr) {
            u_char character = separator.len == 1 ? separator.data[0] : 'x';
            if (character <= ' ' || character > '~' || isalnum(character)) {
                return invalid(cf, command, word);
            }
            config.separator = character;
        } else if (!compileInto(cf, word, config.channels)) {
            return kError;
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
    if (words.size() > 1) {
        config.zoneName = parameter(words[1], "zone");
        if (config.zoneName.data == nullptr) {
            return invalid(cf, command, words[1]);
        }
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

// --- Subscribing ---

// sse_start new|earliest|last=N|$var
char* setStart(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.start != NGX_CONF_UNSET_UINT) {
        return kDuplicate;
    }
    ngx_str_t& word = arguments(cf)[0];
    std::string_view text = toView(word);
    Start start;
    if (text.find('$') != std::string_view::npos) {
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

// "33%" as a number from 0 to 100; NGX_ERROR otherwise.
ngx_int_t parsePercent(const ngx_str_t& word) noexcept {
    if (word.len < 2 || word.data[word.len - 1] != '%') {
        return NGX_ERROR;
    }
    ngx_int_t percent = ngx_atoi(word.data, word.len - 1);
    return percent > 100 ? NGX_ERROR : percent;
}

// The percentage in the last of two words; true if there is only one.
bool takeJitter(std::span<ngx_str_t> words, ngx_uint_t& percent) noexcept {
    const ngx_int_t jitter = words.size() > 1 ? parsePercent(words[1]) : static_cast<ngx_int_t>(percent);
    percent = static_cast<ngx_uint_t>(jitter);
    return jitter != NGX_ERROR;
}

// "time [jitter%]": when a client is to come back. Returns what a setter does.
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

// sse_retry time [jitter%]
char* setRetry(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.retry != NGX_CONF_UNSET_MSEC) {
        return kDuplicate;
    }
    return takeRetry(cf, command, arguments(cf), config.retry, config.retryJitter);
}

// The same where it may be left out.
char* takeLater(ngx_conf_t* cf, const ngx_command_t* command, std::span<ngx_str_t> words,
                LaterTime& later) noexcept {
    later = kDefaultLater;
    return words.empty() ? NGX_CONF_OK : takeRetry(cf, command, words, later.time, later.jitter);
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

// sse_kick [zone=name]
char* setKick(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.kick) {
        return kDuplicate;
    }
    config.kick = true;
    for (const ngx_str_t& word : arguments(cf)) {
        config.zoneName = parameter(word, "zone");
        if (config.zoneName.len == 0) {
            return invalid(cf, command, word);
        }
    }
    mainConfig(cf)->kicks = true;
    return answerWith(cf, command, config, mainConfig(cf)->handlers.kick) ? NGX_CONF_OK : kError;
}

// --- Notices ---

// Takes "event=name". false if the word is something else, or the name no type.
bool takeEvent(const ngx_str_t& word, ngx_str_t& type) noexcept {
    type = parameter(word, "event");
    return isEventType(toView(type));
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
    if (!isSentinel && !isEventType(toView(words[0]))) {
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
    return config.expires == nullptr ? kError : NGX_CONF_OK;
}

// sse_drain time [abort|end]
char* setDrain(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<MainConfig*>(conf);
    if (config.drain != NGX_CONF_UNSET_MSEC) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    const ngx_int_t time = ngx_parse_time(&words[0], 0);
    if (time == NGX_ERROR) {
        return invalid(cf, command, words[0]);
    }
    config.drain = static_cast<ngx_msec_t>(time);
    if (words.size() > 1 && toView(words[1]) == "end") {
        config.cut = CutMode::End;
    } else if (words.size() > 1 && toView(words[1]) != "abort") {
        return invalid(cf, command, words[1]);
    }
    return NGX_CONF_OK;
}

// --- Publishing ---

// A value that is percent-decoded when it is used, into the member at command->offset. One without variables
// must be empty or pass the check.
using Check = bool (*)(std::string_view text) noexcept;

template <Check check>
char* setDecoded(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
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
        if (!isEventType(toView(word))) {
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
        // A variable would be taken as it is written, and nothing begins with that.
        if (!isChannelName(prefix) || prefix.find('$') != std::string_view::npos || (isMode && !isAlone)) {
            return invalid(cf, command, word);
        }
        if (!pushString(config.bodyChannels, word)) {
            return kError;
        }
    }
    return NGX_CONF_OK;
}

// --- Pages of other origins ---

// Whether that word may be in the list of sse_cors; if not, logs why.
bool checkOrigin(ngx_conf_t* cf, const ngx_str_t& word) noexcept {
    if (toView(word) == "*" || toView(word) == "null") {
        return true;
    }
    ngx_str_t fault = ngxString(originFault(toView(word)));
    if (fault.len != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid origin \"%V\" in \"sse_cors\": %V", &word, &fault);
    }
    return fault.len == 0;
}

// Whether the origins of sse_cors are valid together, and with "credentials".
bool checkOrigins(ngx_conf_t* cf, const LocationConfig& config) noexcept {
    std::span<ngx_str_t> origins(static_cast<ngx_str_t*>(config.origins->elts), config.origins->nelts);
    auto has = [&origins](std::string_view text) {
        return std::any_of(origins.begin(), origins.end(),
                           [text](const ngx_str_t& origin) { return toView(origin) == text; });
    };
    bool credentials = config.corsCredentials == 1;
    if (origins.empty() || (has("*") && (origins.size() > 1 || credentials))) {
        ngx_conf_log_error(
            NGX_LOG_EMERG, cf, 0,
            "\"sse_cors\" takes a list of origins, or \"*\" alone and without \"credentials\"");
        return false;
    }
    if (has("null") && credentials) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sse_cors\" takes \"null\" only without \"credentials\": any page in a sandbox "
                           "has that origin");
        return false;
    }
    return true;
}

// Reads the words of sse_cors, which are not "off"; false after an error.
bool takeOrigins(ngx_conf_t* cf, LocationConfig& config) noexcept {
    config.origins = makeArray(cf, sizeof(ngx_str_t));
    if (config.origins == nullptr) {
        return false;
    }
    for (const ngx_str_t& word : arguments(cf)) {
        if (toView(word) == "credentials") {
            config.corsCredentials = 1;
        } else if (!checkOrigin(cf, word) || !pushString(config.origins, word)) {
            return false;
        }
    }
    return checkOrigins(cf, config);
}

// sse_cors origin … [credentials]|off
char* setCors(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.origins != NGX_CONF_UNSET_PTR) {
        return kDuplicate;
    }
    auto words = arguments(cf);
    if (words.size() == 1 && toView(words[0]) == "off") {
        config.origins = nullptr;
        return NGX_CONF_OK;
    }
    mainConfig(cf)->cors = true;
    return takeOrigins(cf, config) ? NGX_CONF_OK : kError;
}

// sse_cors_headers name …
char* setCorsHeaders(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept {
    auto& config = *static_cast<LocationConfig*>(conf);
    if (config.corsHeaders.data != nullptr) {
        return kDuplicate;
    }
    size_t room = kUsualCorsHeaders.size();
    for (const ngx_str_t& word : arguments(cf)) {
        if (!isToken(toView(word))) {
            return invalid(cf, command, word);
        }
        room += kListSeparator.size() + word.len;
    }
    auto* text = static_cast<u_char*>(ngx_pnalloc(cf->pool, room));
    if (text == nullptr) {
        return kError;
    }
    u_char* end = ngx_cpymem(text, kUsualCorsHeaders.data(), kUsualCorsHeaders.size());
    for (const ngx_str_t& word : arguments(cf)) {
        std::string_view list(reinterpret_cast<char*>(text), static_cast<size_t>(end - text));
        if (!hasToken(list, toView(word))) {
            end = ngx_cpymem(end, kListSeparator.data(), kListSeparator.size());
            ngx_strlow(end, word.data, word.len);
            end += word.len;
        }
    }
    config.corsHeaders = {static_cast<size_t>(end - text), text};
    return NGX_CONF_OK;
}

// --- The table ---

ngx_conf_enum_t framings[] = {
    {ngx_string("auto"), numberOf(Framing::Auto)},
    {ngx_string("content_type"), numberOf(Framing::ContentType)},
    {ngx_string("event"), numberOf(Framing::Event)},
    {ngx_string("lines"), numberOf(Framing::Lines)},
    {ngx_string("ndjson"), numberOf(Framing::Ndjson)},
    {ngx_string("sse"), numberOf(Framing::Sse)},
    {ngx_string("form"), numberOf(Framing::Form)},
    {ngx_string("json"), numberOf(Framing::Json)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t absentModes[] = {
    {ngx_string("wait"), numberOf(Absent::Wait)},
    {ngx_string("204"), numberOf(Absent::NoContent)},
    {ngx_string("404"), numberOf(Absent::NotFound)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t batchModes[] = {
    {ngx_string("off"), numberOf(BatchMode::Off)},
    {ngx_string("atomic"), numberOf(BatchMode::Atomic)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t mergeModes[] = {
    {ngx_string("off"), numberOf(MergeMode::Off)},
    {ngx_string("data"), numberOf(MergeMode::Data)},
    {ngx_string("lines"), numberOf(MergeMode::Lines)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t profiles[] = {
    {ngx_string("model"), numberOf(Profile::Model)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t invalidUtf8Modes[] = {
    {ngx_string("replace"), numberOf(InvalidUtf8::Replace)},
    {ngx_string("reject"), numberOf(InvalidUtf8::Reject)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t bodyIdModes[] = {
    {ngx_string("keep"), numberOf(BodyIds::Keep)},
    {ngx_string("ignore"), numberOf(BodyIds::Ignore)},
    {ngx_null_string, 0},
};

// For ngx_conf_post_t: a time that must not be 0.
char* checkPositive(ngx_conf_t* cf, void*, void* value) noexcept {
    if (*static_cast<ngx_msec_t*>(value) != 0) {
        return NGX_CONF_OK;
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" must be greater than 0",
                       static_cast<ngx_str_t*>(cf->args->elts));
    return kError;
}

char* checkMaxBatch(ngx_conf_t* cf, void*, void* value) noexcept {
    const size_t size = *static_cast<size_t*>(value);
    if (size >= kLeastMaxBatch && size <= kMostMaxBatch) {
        return NGX_CONF_OK;
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"sse_max_batch\" must be between %uz and %uz bytes",
                       kLeastMaxBatch, kMostMaxBatch);
    return kError;
}

ngx_conf_num_bounds_t channelBounds = {ngx_conf_check_num_bounds, 1, kMostChannels};
ngx_conf_post_t positive = {checkPositive};
ngx_conf_post_t maxBatch = {checkMaxBatch};

using Setter = char* (*)(ngx_conf_t*, ngx_command_t*, void*);

constexpr ngx_uint_t kAnyLevel = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

ngx_command_t httpDirective(ngx_str_t name, ngx_uint_t arguments, Setter set, size_t offset = 0) noexcept {
    return {name, NGX_HTTP_MAIN_CONF | arguments, set, NGX_HTTP_MAIN_CONF_OFFSET, offset, nullptr};
}

// Says what a location is, so it is valid at no other level.
ngx_command_t endpoint(ngx_str_t name, ngx_uint_t arguments, Setter set) noexcept {
    return {name, NGX_HTTP_LOC_CONF | arguments, set, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr};
}

ngx_command_t setting(ngx_str_t name, ngx_uint_t arguments, Setter set, size_t offset = 0,
                      void* post = nullptr) noexcept {
    return {name, kAnyLevel | arguments, set, NGX_HTTP_LOC_CONF_OFFSET, offset, post};
}

} // namespace

#define AT(member) offsetof(LocationConfig, member)

// A new directive touches three files at most: this one (its line, and its setter if nginx has none for it),
// config.hpp (what it sets) and config.cpp (its default and how it is inherited).
ngx_command_t directives[] = {
    httpDirective(ngx_string("sse_zone"), NGX_CONF_TAKE23, setZone),
#ifndef SSE_WITHOUT_BUS
    httpDirective(ngx_string("sse_bus"), NGX_CONF_2MORE, setBus),
#endif
    httpDirective(ngx_string("sse_drain"), NGX_CONF_TAKE12, setDrain),
    httpDirective(ngx_string("sse_keys"), NGX_CONF_TAKE1, setKeys),

    endpoint(ngx_string("sse_channel"), NGX_CONF_1MORE, setChannel),
    endpoint(ngx_string("sse_publish"), NGX_CONF_TAKE12, setPublish),
    endpoint(ngx_string("sse_status"), NGX_CONF_ANY, setStatus),
    endpoint(ngx_string("sse_health"), NGX_CONF_ANY, setHealth),
    endpoint(ngx_string("sse_kick"), NGX_CONF_NOARGS | NGX_CONF_TAKE1, setKick),
    endpoint(ngx_string("sse_later"), NGX_CONF_NOARGS | NGX_CONF_TAKE12, setLater),
    endpoint(ngx_string("sse_list"), NGX_CONF_1MORE, setList),

    setting(ngx_string("sse_start"), NGX_CONF_TAKE1, setStart),
    setting(ngx_string("sse_cursor"), NGX_CONF_1MORE, setCursor),
    setting(ngx_string("sse_history"), NGX_CONF_TAKE12, setHistory),
    setting(ngx_string("sse_retry"), NGX_CONF_TAKE12, setRetry),
    setting(ngx_string("sse_heartbeat"), NGX_CONF_TAKE12, setHeartbeat),
    setting(ngx_string("sse_prime"), NGX_CONF_TAKE1, setPrime),
    setting(ngx_string("sse_gap"), NGX_CONF_TAKE1, setGap),
    setting(ngx_string("sse_caught_up"), NGX_CONF_TAKE1, setCaughtUp),
    setting(ngx_string("sse_absent"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(absent), &absentModes),
    setting(ngx_string("sse_end_event"), NGX_CONF_TAKE123, setEndEvent),
    setting(ngx_string("sse_lifetime"), NGX_CONF_TAKE12, setLifetime),
    setting(ngx_string("sse_expires"), NGX_CONF_TAKE12, setExpires),
    setting(ngx_string("sse_profile"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(profile), &profiles),
    setting(ngx_string("sse_send_timeout"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot, AT(askedSendTimeout),
            &positive),
    setting(ngx_string("sse_direct"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(direct)),
    setting(ngx_string("sse_merge"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(merge), &mergeModes),
    setting(ngx_string("sse_max_channels"), NGX_CONF_TAKE1, ngx_conf_set_num_slot, AT(maxChannels),
            &channelBounds),
    setting(ngx_string("sse_poll"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(poll)),

    setting(ngx_string("sse_key"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(key)),
    setting(ngx_string("sse_max_subscribers"), NGX_CONF_TAKE12, setMaxSubscribers),
    setting(ngx_string("sse_reject"), NGX_CONF_TAKE123, setReject),

    setting(ngx_string("sse_max_event_size"), NGX_CONF_TAKE1, ngx_conf_set_size_slot, AT(askedEventSize)),
    setting(ngx_string("sse_framing"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(framing), &framings),
    setting(ngx_string("sse_event_type"), NGX_CONF_TAKE1, setDecoded<isEventType>, AT(eventType)),
    setting(ngx_string("sse_event_id"), NGX_CONF_TAKE1, setDecoded<isPublisherId>, AT(eventId)),
    setting(ngx_string("sse_event_retry"), NGX_CONF_TAKE1, setDecoded<isRetry>, AT(eventRetry)),
    setting(ngx_string("sse_event_encoding"), NGX_CONF_TAKE1, setDecoded<isEncoding>, AT(eventEncoding)),
    setting(ngx_string("sse_publish_end"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(publishEnd)),
    setting(ngx_string("sse_reopen"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(reopen)),
    setting(ngx_string("sse_batch"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(batch), &batchModes),
    setting(ngx_string("sse_max_batch"), NGX_CONF_TAKE1, ngx_conf_set_size_slot, AT(maxBatch), &maxBatch),
    setting(ngx_string("sse_publish_timeout"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot, AT(publishTimeout),
            &positive),
    setting(ngx_string("sse_allow_types"), NGX_CONF_1MORE, setAllowTypes),
    setting(ngx_string("sse_body_channels"), NGX_CONF_1MORE, setBodyChannels),
    setting(ngx_string("sse_invalid_utf8"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(invalidUtf8),
            &invalidUtf8Modes),
    setting(ngx_string("sse_body_ids"), NGX_CONF_TAKE1, ngx_conf_set_enum_slot, AT(bodyIds), &bodyIdModes),
    setting(ngx_string("sse_max_events"), NGX_CONF_TAKE1, ngx_conf_set_num_slot, AT(maxEvents)),
    setting(ngx_string("sse_max_rate"), NGX_CONF_TAKE1, ngx_conf_set_num_slot, AT(maxRate)),
    setting(ngx_string("sse_max_client_memory"), NGX_CONF_TAKE1, ngx_conf_set_size_slot, AT(maxClientMemory)),
    setting(ngx_string("sse_check_origin"), NGX_CONF_FLAG, ngx_conf_set_flag_slot, AT(checkOrigin)),

    setting(ngx_string("sse_cors"), NGX_CONF_1MORE, setCors),
    setting(ngx_string("sse_cors_headers"), NGX_CONF_1MORE, setCorsHeaders),
#ifdef SSE_FAULTS
    setting(ngx_string("sse_test_crash_at"), NGX_CONF_TAKE1, ngx_http_set_complex_value_slot, AT(crashAt)),
#endif
    {ngx_null_string, 0, nullptr, 0, 0, nullptr},
};

#undef AT

} // namespace sse
