#include "listing/permit.hpp"

#include <span>

namespace sse {

// An expression whose value is empty permits nothing, because every name would begin with it.
bool ListPermit::of(ngx_http_request_t* r, ListPermit& permit) noexcept {
    const LocationConfig& config = *locationConfig(r);
    permit.all_ = config.listsAll;
    if (config.list == nullptr) {
        return true;
    }
    const std::span expressions(static_cast<ngx_http_complex_value_t*>(config.list->elts),
                                config.list->nelts);
    auto* prefixes = static_cast<ngx_str_t*>(ngx_palloc(r->pool, expressions.size() * sizeof(ngx_str_t)));
    if (prefixes == nullptr) {
        return false;
    }
    size_t count = 0;
    for (ngx_http_complex_value_t& expression : expressions) {
        ngx_str_t prefix;
        if (ngx_http_complex_value(r, &expression, &prefix) != NGX_OK) {
            return false;
        }
        if (prefix.len != 0) {
            prefixes[count++] = prefix;
        }
    }
    permit.prefixes_ = {prefixes, count};
    return true;
}

bool ListPermit::covers(std::string_view channel) const noexcept {
    return all_ || hasPrefix(channel, prefixes_);
}

} // namespace sse
