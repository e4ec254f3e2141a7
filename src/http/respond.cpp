#include "http/respond.hpp"

#include "sse/percent.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// Decodes into the request's pool; false without memory.
bool decode(ngx_http_request_t* r, std::string_view text, std::string_view& value) noexcept {
    if (text.find('%') == std::string_view::npos) {
        value = text;
        return true;
    }
    auto* copy = static_cast<char*>(ngx_pnalloc(r->pool, text.size()));
    if (copy == nullptr) {
        return false;
    }
    value = {copy, percentDecode(text, copy)};
    return true;
}

} // namespace

ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view json) noexcept {
    ngx_str_t type = ngx_string("application/json");
    ngx_http_complex_value_t body{};
    body.value = ngxString(json);
    Worker::self().noteEnd(r);
    return ngx_http_send_response(r, status, &type, &body);
}

ngx_int_t refuse(ngx_http_request_t* r, ngx_uint_t status, std::string_view reason) noexcept {
    ngx_str_t text = ngxString(reason);
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "sse: refused with %ui: %V", status, &text);

    constexpr std::string_view kBefore = "{\"error\":\"";
    constexpr std::string_view kAfter = "\"}\n";
    size_t length = kBefore.size() + reason.size() + kAfter.size();
    auto* body = static_cast<u_char*>(ngx_pnalloc(r->pool, length));
    if (body == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    u_char* p = ngx_cpymem(body, kBefore.data(), kBefore.size());
    p = ngx_cpymem(p, reason.data(), reason.size());
    ngx_memcpy(p, kAfter.data(), kAfter.size());
    return respond(r, status, {reinterpret_cast<char*>(body), length});
}

ngx_int_t refuseMethod(ngx_http_request_t* r, std::string_view allowed) noexcept {
    if (!addHeader(r, "Allow", allowed)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r->method != NGX_HTTP_OPTIONS) {
        return refuse(r, NGX_HTTP_NOT_ALLOWED, "the method is not allowed here");
    }
    Worker::self().noteEnd(r);
    return NGX_HTTP_NO_CONTENT;
}

bool addHeader(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept {
    auto* header = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (header == nullptr) {
        return false;
    }
    *header = {};
    header->hash = 1;
    header->key = ngxString(name);
    header->value = ngxString(value);
    return true;
}

ngx_str_t requestHeader(ngx_http_request_t* r, std::string_view lowerName) noexcept {
    for (ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr; part = part->next) {
        auto* headers = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            const ngx_table_elt_t& header = headers[i];
            if (header.hash != 0 && header.key.len == lowerName.size() &&
                ngx_strncmp(header.lowcase_key, lowerName.data(), lowerName.size()) == 0) {
                return header.value;
            }
        }
    }
    return {0, nullptr};
}

bool lastArgument(ngx_http_request_t* r, std::string_view name, std::string_view& value) noexcept {
    std::string_view args = view(r->args);
    std::string_view found;
    while (!args.empty()) {
        size_t end = args.find('&');
        std::string_view argument = args.substr(0, end);
        if (argument.size() > name.size() && argument[name.size()] == '=' && argument.starts_with(name)) {
            found = without(argument, name.size() + 1);
        }
        args = end == std::string_view::npos ? std::string_view() : without(args, end + 1);
    }
    return decode(r, found, value);
}

bool evaluateDecoded(ngx_http_request_t* r, ngx_http_complex_value_t* expression,
                     std::string_view& value) noexcept {
    ngx_str_t text;
    return ngx_http_complex_value(r, expression, &text) == NGX_OK && decode(r, view(text), value);
}

} // namespace sse
