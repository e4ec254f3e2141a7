#include "conf/zone_words.hpp"

#include <optional>
#include <span>
#include <string_view>

#include "conf/bus_words.hpp"
#include "conf/words.hpp"
#include "counters/zone_counters.hpp"
#include "keys/keys.hpp"
#include "roster/registry.hpp"

namespace sse {

namespace {

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
        if (number <= 0 || number > ngx_int_t{kMaxChannels}) {
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
    if (words[0].len == 0 || hasVariable(words[0])) {
        invalid(cf, command, words[0]);
        return std::nullopt;
    }
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

} // namespace

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

} // namespace sse
