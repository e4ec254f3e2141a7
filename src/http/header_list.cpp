#include "http/header_list.hpp"

#include "sse/token.hpp"

namespace sse {

namespace {

// Calls `found` for each field of that name; nginx does not send those without a hash.
template <typename Found>
void eachField(ngx_list_t& list, std::string_view name, Found&& found) noexcept {
    for (ngx_list_part_t* part = &list.part; part != nullptr; part = part->next) {
        auto* fields = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (fields[i].hash != 0 && equalTokens(toView(fields[i].key), name)) {
                found(fields[i]);
            }
        }
    }
}

} // namespace

bool hasHeader(ngx_http_request_t* r, std::string_view name) noexcept {
    bool has = false;
    eachField(r->headers_out.headers, name, [&has](const ngx_table_elt_t&) { has = true; });
    return has;
}

bool hasHeaderToken(ngx_http_request_t* r, std::string_view name, std::string_view token) noexcept {
    bool has = false;
    eachField(r->headers_out.headers, name, [&has, token](const ngx_table_elt_t& field) {
        has = has || hasToken(toView(field.value), token);
    });
    return has;
}

void removeHeader(ngx_http_request_t* r, std::string_view name) noexcept {
    eachField(r->headers_out.headers, name, [](ngx_table_elt_t& field) { field.hash = 0; });
}

} // namespace sse
