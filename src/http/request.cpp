#include "http/request.hpp"

#include <algorithm>

#include "sse/percent.hpp"
#include "sse/token.hpp"

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

// Calls visit(header) with each header until it returns false.
template <typename Visit>
void eachHeader(const ngx_http_request_t& r, Visit&& visit) noexcept {
    for (const ngx_list_part_t* part = &r.headers_in.headers.part; part != nullptr; part = part->next) {
        const auto* headers = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (headers[i].hash != 0 && !visit(headers[i])) {
                return;
            }
        }
    }
}

bool isNamed(const ngx_table_elt_t& header, std::string_view name) noexcept {
    return header.key.len == name.size() && equalTokens(toView(header.key), name);
}

// Calls visit(value) with each header of that name until it returns false.
template <typename Visit>
void eachHeader(const ngx_http_request_t& r, std::string_view name, Visit&& visit) noexcept {
    eachHeader(r, [&](const ngx_table_elt_t& header) noexcept {
        return !isNamed(header, name) || visit(trimmed(toView(header.value)));
    });
}

// Calls visit(item) with each item of a list, without the space around it, until it returns false. Returns
// whether it never did.
template <typename Visit>
bool eachItem(std::string_view list, char separator, Visit&& visit) noexcept {
    while (!list.empty()) {
        const size_t end = std::min(list.find(separator), list.size());
        if (!visit(trimmed(list.substr(0, end)))) {
            return false;
        }
        list = dropFirst(list, std::min(end + 1, list.size()));
    }
    return true;
}

// Whether a media range has the weight 0 ("q=0", "Q=0.00").
bool isRefused(std::string_view range) noexcept {
    return !eachItem(range, ';', [](std::string_view parameter) {
        const bool isWeight = parameter.starts_with("q=") || parameter.starts_with("Q=");
        return !isWeight || dropFirst(parameter, 2).find_first_not_of("0.") != std::string_view::npos;
    });
}

} // namespace

std::string_view onlyHeader(const ngx_http_request_t& r, std::string_view name) noexcept {
    std::string_view only;
    int count = 0;
    eachHeader(r, name, [&](std::string_view value) {
        only = value;
        return ++count < 2;
    });
    return count == 1 ? only : std::string_view();
}

size_t countHeaders(const ngx_http_request_t& r, std::string_view name) noexcept {
    size_t count = 0;
    eachHeader(r, name, [&count](std::string_view) {
        ++count;
        return true;
    });
    return count;
}

bool hasHeaderOf(const ngx_http_request_t& r, std::span<const std::string_view> names) noexcept {
    bool has = false;
    eachHeader(r, [&](const ngx_table_elt_t& header) noexcept {
        has = std::any_of(names.begin(), names.end(),
                          [&header](std::string_view name) noexcept { return isNamed(header, name); });
        return !has;
    });
    return has;
}

std::string_view firstHeader(const ngx_http_request_t& r, std::string_view name) noexcept {
    std::string_view first;
    eachHeader(r, name, [&](std::string_view value) {
        first = value;
        return first.empty();
    });
    return first;
}

std::string_view mediaType(std::string_view contentType) noexcept {
    return trimmed(contentType.substr(0, contentType.find(';')));
}

bool isTypeAccepted(const ngx_http_request_t& r, std::string_view type) noexcept {
    bool accepted = false;
    eachHeader(r, "accept", [&](std::string_view ranges) {
        return eachItem(ranges, ',', [&](std::string_view range) {
            accepted = equalTokens(mediaType(range), type) && !isRefused(range);
            return !accepted;
        });
    });
    return accepted;
}

bool isEncoded(const ngx_http_request_t& r) noexcept {
    bool encoded = false;
    eachHeader(r, "content-encoding", [&](std::string_view codings) {
        return eachItem(codings, ',', [&](std::string_view coding) {
            encoded = !coding.empty() && !equalTokens(coding, "identity");
            return !encoded;
        });
    });
    return encoded;
}

// nginx-internal: http/v2/ngx_http_v2.c (1.22.1, 1.26.3, 1.30.4, 1.31.4), http/v3/ngx_http_v3_request.c
// (1.26.3, 1.30.4, 1.31.4): over HTTP/2 and 3 nginx makes a request line like that of HTTP/1. It does not
// touch the line when it changes the method.
bool isSentWith(const ngx_http_request_t& r, std::string_view method) noexcept {
    std::string_view line = toView(r.main->request_line);
    return line.starts_with(method) && line.size() > method.size() && line[method.size()] == ' ';
}

bool lastArgument(ngx_http_request_t* r, std::string_view name, std::string_view& value) noexcept {
    std::string_view args = toView(r->args);
    std::string_view found;
    while (!args.empty()) {
        size_t end = args.find('&');
        std::string_view argument = args.substr(0, end);
        if (argument.size() > name.size() && argument[name.size()] == '=' && argument.starts_with(name)) {
            found = dropFirst(argument, name.size() + 1);
        }
        args = end == std::string_view::npos ? std::string_view() : dropFirst(args, end + 1);
    }
    return decode(r, found, value);
}

bool saysNo(std::string_view value) noexcept {
    return value == "0" || equalTokens(value, "false");
}

bool isFlagSet(const ngx_http_request_t& r, std::string_view name) noexcept {
    bool isSet = false;
    for (std::string_view args = toView(r.args); !args.empty();) {
        const size_t end = std::min(args.find('&'), args.size());
        const std::string_view argument(args.data(), end);
        const size_t equals = std::min(argument.find('='), argument.size());
        if (argument.starts_with(name) && equals == name.size()) {
            isSet = !saysNo(dropFirst(argument, std::min(equals + 1, argument.size())));
        }
        args = dropFirst(args, std::min(end + 1, args.size()));
    }
    return isSet;
}

bool firstArgument(ngx_http_request_t* r, std::string_view name, std::string_view& value) noexcept {
    ngx_str_t found;
    ngx_str_t wanted = ngxString(name);
    return ngx_http_arg(r, wanted.data, wanted.len, &found) != NGX_OK || decode(r, toView(found), value);
}

bool evaluateDecoded(ngx_http_request_t* r, ngx_http_complex_value_t* expression,
                     std::string_view& value) noexcept {
    ngx_str_t text;
    return ngx_http_complex_value(r, expression, &text) == NGX_OK && decode(r, toView(text), value);
}

} // namespace sse
