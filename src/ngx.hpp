// nginx's headers, and its strings, clock and queues as the rest of src uses them. No other file includes
// nginx.
//
// When a new version of nginx appears, begin here: code that relies on more than these headers promise has a
// comment `nginx-internal:`, with the file of nginx and the versions that it was last compared with.
// `grep -rn nginx-internal: src` is the checklist.
#pragma once

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

// nginx-internal: http/ngx_http_write_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): not declared in any
// header of nginx.
extern ngx_module_t ngx_http_write_filter_module;
}

#include <string_view>

extern ngx_module_t ngx_http_sse_module;

namespace sse {

inline std::string_view toView(const ngx_str_t& text) noexcept {
    return {reinterpret_cast<const char*>(text.data), text.len};
}

// nginx does not write to the strings that it is given here; its types just lack the const.
inline ngx_str_t ngxString(std::string_view text) noexcept {
    return {text.size(), reinterpret_cast<u_char*>(const_cast<char*>(text.data()))};
}

// The text without its first `count` bytes. Unlike substr() it cannot throw; throwing would need the C++
// library.
inline std::string_view dropFirst(std::string_view text, size_t count) noexcept {
    text.remove_prefix(count);
    return text;
}

// A copy in `pool`; data is NULL without memory.
inline ngx_str_t poolString(ngx_pool_t* pool, std::string_view text) noexcept {
    auto* copy = static_cast<u_char*>(ngx_pnalloc(pool, text.size() + 1));
    if (copy == nullptr) {
        return {0, nullptr};
    }
    if (!text.empty()) {
        ngx_memcpy(copy, text.data(), text.size());
    }
    copy[text.size()] = '\0';
    return {text.size(), copy};
}

// The wall clock, as cached by nginx, in milliseconds since 1970.
inline uint64_t unixMilliseconds() noexcept {
    const ngx_time_t* now = ngx_timeofday();
    return static_cast<uint64_t>(now->sec) * 1000 + now->msec;
}

// The object that has `link` as its member at `offset` (ngx_queue_data, typed).
template <typename T>
T* queueItem(ngx_queue_t* link, size_t offset) noexcept {
    return reinterpret_cast<T*>(reinterpret_cast<u_char*>(link) - offset);
}

} // namespace sse
