#include "http/bypass.hpp"

#include <algorithm>
#include <span>

#include "config.hpp"

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

// The modules that can have a filter: the write filter is the first to be configured and begins the chain
// anew (ngx_http_write_filter_module.c), so none before it has one.
std::span<ngx_module_t*> filters() noexcept {
    std::span<ngx_module_t*> modules(ngx_cycle->modules, ngx_cycle->modules_n);
    auto first = std::find(modules.begin(), modules.end(), &ngx_http_write_filter_module);
    return first == modules.end() ? modules : std::span<ngx_module_t*>(first, modules.end());
}

bool isLeftAlone(const ngx_http_request_t& r) noexcept {
    std::span<ngx_module_t*> modules = filters();
    return std::all_of(modules.begin(), modules.end(), [&r](const ngx_module_t* module) {
        return module->type != NGX_HTTP_MODULE || r.ctx[module->ctx_index] == nullptr || isHarmless(*module);
    });
}

} // namespace

// Streams of HTTP/2 and 3 are framed by filters that keep nothing in a context.
bool mayBypassFilters(ngx_http_request_t* r) noexcept {
    return locationConfig(r)->direct && r->http_version <= NGX_HTTP_VERSION_11 && r->out == nullptr &&
           r->limit_rate == 0 && isLeftAlone(*r);
}

} // namespace sse
