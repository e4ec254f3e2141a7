#include "status/html.hpp"

#include <string_view>

#include "http/random.hpp"
#include "http/respond.hpp"
#include "sse/buffer.hpp"

namespace sse {

namespace {

// page.html, as config.make makes a literal of it. Nothing in it comes from a request or a configuration:
// what the figures say is set as text, by the script.
constexpr std::string_view kPage{
#include <addon/status/page.inc>
};

// Allows only the page's own style and script, and requests to its own origin; forbids frames.
constexpr std::string_view kPolicy =
    "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; style-src 'nonce-{{nonce}}'; script-src 'nonce-{{nonce}}'";

// The text with the nonce wherever it has a place for it, in the request's pool; empty without memory.
std::string_view withNonce(ngx_http_request_t* r, std::string_view text, std::string_view nonce) noexcept {
    constexpr std::string_view kPlace = "{{nonce}}";
    Buffer filled;
    for (size_t at = text.find(kPlace); at != std::string_view::npos; at = text.find(kPlace)) {
        if (!filled.append({text.data(), at}) || !filled.append(nonce)) {
            return {};
        }
        text.remove_prefix(at + kPlace.size());
    }
    return filled.append(text) ? toView(poolString(r->pool, filled.view())) : std::string_view();
}

} // namespace

ngx_int_t sendStatusPage(ngx_http_request_t* r) noexcept {
    u_char room[32]; // hexadecimal digits
    ngx_snprintf(room, sizeof(room), "%016xL%016xL", randomNumber(), randomNumber());
    const std::string_view nonce(reinterpret_cast<const char*>(room), sizeof(room));

    const std::string_view policy = withNonce(r, kPolicy, nonce);
    const std::string_view page = withNonce(r, kPage, nonce);
    if (policy.empty() || page.empty() || !addHeader(r, "Content-Security-Policy", policy) ||
        !addHeader(r, "X-Content-Type-Options", "nosniff") ||
        !addHeader(r, "Referrer-Policy", "no-referrer")) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return respond(r, NGX_HTTP_OK, "text/html; charset=utf-8", page);
}

} // namespace sse
