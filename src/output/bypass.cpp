#include "output/bypass.hpp"

#include <algorithm>

#include "conf/config.hpp"

namespace sse {

namespace {

// A filter that wants to change a response keeps a context for the request, from the header on or, at the
// latest, from the first bytes on. These keep one as well and leave what follows alone: one adds a header,
// one copies what is in files, and chunks we frame ourselves.
constexpr std::string_view kHarmless[] = {
    "ngx_http_sse_module",
    "ngx_http_chunked_filter_module",
    "ngx_http_copy_filter_module",
    "ngx_http_userid_filter_module",
};

bool isHarmless(const ngx_module_t& module) noexcept {
    return std::find(std::begin(kHarmless), std::end(kHarmless), module.name) != std::end(kHarmless);
}

// Only modules behind the write filter can have a filter: it is the first to be configured and begins the
// chain anew (ngx_http_write_filter_module.c).
bool isLeftAlone(const ngx_http_request_t& r) noexcept {
    ngx_module_t** modules = ngx_cycle->modules;
    for (ngx_uint_t i = ngx_cycle->modules_n; i-- > 0 && modules[i] != &ngx_http_write_filter_module;) {
        const ngx_module_t& module = *modules[i];
        if (module.type == NGX_HTTP_MODULE && r.ctx[module.ctx_index] != nullptr && !isHarmless(module)) {
            return false;
        }
    }
    return true;
}

} // namespace

// Streams of HTTP/2 and 3 are framed by filters that keep nothing in a context.
bool mayBypassFilters(ngx_http_request_t* r) noexcept {
    return locationConfig(r)->direct && r->http_version <= NGX_HTTP_VERSION_11 && r->out == nullptr &&
           r->limit_rate == 0 && isLeftAlone(*r);
}

} // namespace sse
