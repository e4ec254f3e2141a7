#include "output/bypass.hpp"

#include <algorithm>

#include "conf/config.hpp"

namespace sse {

namespace {

// A filter that wants to change a response keeps a context for the request, from the header on or, at the
// latest, from the first bytes on. The modules in this list keep one as well, but do not change what follows:
// one adds a header, one copies what is in files, and we frame chunks ourselves.
//
// nginx-internal: http/ngx_http_copy_filter_module.c, http/modules/ngx_http_*_filter_module.c (1.22.1,
// 1.26.3, 1.30.4, 1.31.4): every filter of nginx that changes the bytes of HTTP/1 responses sets its context
// by then.
constexpr std::string_view kHarmless[] = {
    "ngx_http_sse_module",
    "ngx_http_chunked_filter_module",
    "ngx_http_copy_filter_module",
    "ngx_http_userid_filter_module",
};

bool isHarmless(const ngx_module_t& module) noexcept {
    return std::find(std::begin(kHarmless), std::end(kHarmless), module.name) != std::end(kHarmless);
}

// nginx-internal: http/ngx_http_write_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the write filter is
// the first to be configured and starts a new chain, so only modules after it can have a filter.
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

// Streams of HTTP/2 and 3 are framed by filters that need not keep a context.
//
// nginx-internal: http/ngx_http_write_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): `out` is what it
// holds back; `limit_rate` has been evaluated with the first bytes.
bool mayBypassFilters(ngx_http_request_t* r) noexcept {
    return locationConfig(r)->direct && r->http_version <= NGX_HTTP_VERSION_11 && r->out == nullptr &&
           r->limit_rate == 0 && isLeftAlone(*r);
}

} // namespace sse
