#include "conf/access_guard.hpp"

#include <algorithm>
#include <span>

#include "conf/neighbours.hpp"

namespace sse {

namespace {

// nginx-internal: http/modules/ngx_http_access_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the layouts of its
// rules and of its configuration.
struct AccessRule {
    in_addr_t mask;
    in_addr_t address;
    ngx_uint_t deny;
};

struct AccessRule6 {
    in6_addr address;
    in6_addr mask;
    ngx_uint_t deny;
};

// Rules for "unix:" follow. They do not matter here: a client of a socket on this machine is not just
// anybody.
struct AccessConfig {
    ngx_array_t* rules;
#if (NGX_HAVE_INET6)
    ngx_array_t* rules6;
#endif
};

// nginx-internal: http/modules/ngx_http_auth_basic_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the layout of
// its configuration.
struct AuthBasicConfig {
    ngx_http_complex_value_t* realm;
    ngx_http_complex_value_t* userFile;
};

// nginx-internal: http/modules/ngx_http_auth_request_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): what its
// configuration begins with.
struct AuthRequestConfig {
    ngx_str_t uri;
};

// nginx-internal: ngx_http_auth_jwt_module (no public source to check): assumes no more than that its first
// word is zero until "auth_jwt" sets it.
struct AuthJwtConfig {
    uintptr_t realm;
};

// What the access module decides about an address that no rule names.
enum class Verdict { Undecided, Allowed, Denied };

bool matchesAll(in_addr_t mask) noexcept {
    return mask == 0;
}

bool matchesAll(const in6_addr& mask) noexcept {
    return std::ranges::all_of(mask.s6_addr, [](uint8_t byte) { return byte == 0; });
}

// The first rule that matches decides.
template <typename Rule>
Verdict judge(const ngx_array_t* rules) noexcept {
    if (rules == nullptr) {
        return Verdict::Undecided;
    }
    std::span<const Rule> list(static_cast<const Rule*>(rules->elts), rules->nelts);
    auto last = std::ranges::find_if(list, [](const Rule& rule) { return matchesAll(rule.mask); });
    if (last == list.end()) {
        return Verdict::Undecided;
    }
    return last->deny ? Verdict::Denied : Verdict::Allowed;
}

bool asksForCredentials(const ngx_cycle_t& cycle, void* const* configs) noexcept {
    auto* basic =
        static_cast<const AuthBasicConfig*>(neighbourConfig(cycle, configs, "ngx_http_auth_basic_module"));
    if (basic != nullptr && basic->realm != nullptr && basic->userFile != nullptr &&
        toView(basic->realm->value) != "off") {
        return true;
    }
    auto* request = static_cast<const AuthRequestConfig*>(
        neighbourConfig(cycle, configs, "ngx_http_auth_request_module"));
    if (request != nullptr && request->uri.len != 0) {
        return true;
    }
    auto* jwt =
        static_cast<const AuthJwtConfig*>(neighbourConfig(cycle, configs, "ngx_http_auth_jwt_module"));
    return jwt != nullptr && jwt->realm != 0 && jwt->realm != static_cast<uintptr_t>(NGX_CONF_UNSET);
}

// nginx-internal: http/ngx_http_core_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_http_core_access_phase().
// With "satisfy any" the first module that allows ends the phase, and one that is undecided leaves it to the
// others; with "satisfy all" none of them can open what another one closes.
bool isOpen(const ngx_cycle_t& cycle, void* const* configs) noexcept {
    auto* core = static_cast<const ngx_http_core_loc_conf_t*>(configs[ngx_http_core_module.ctx_index]);
    bool asks = asksForCredentials(cycle, configs);
    auto opens = [any = core->satisfy == NGX_HTTP_SATISFY_ANY, asks](Verdict verdict) {
        return any && verdict == Verdict::Allowed ? true : verdict != Verdict::Denied && !asks;
    };
    auto* access =
        static_cast<const AccessConfig*>(neighbourConfig(cycle, configs, "ngx_http_access_module"));
    if (access == nullptr) {
        return opens(Verdict::Undecided);
    }
    // Both families matter, whatever the server listens on: "realip" takes an address of any family from a
    // header, and a listener is easily added.
#if (NGX_HAVE_INET6)
    if (opens(judge<AccessRule6>(access->rules6))) {
        return true;
    }
#endif
    return opens(judge<AccessRule>(access->rules));
}

} // namespace

// nginx-internal: http/ngx_http_core_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4):
// ngx_http_update_location_config() takes the block of "limit_except" for the methods in `limit_except`.
ngx_uint_t openMethods(const ngx_cycle_t& cycle, const ngx_http_core_loc_conf_t& location,
                       ngx_uint_t methods) noexcept {
    if (location.internal || location.named) {
        return 0;
    }
    ngx_uint_t own = methods & ~static_cast<ngx_uint_t>(location.limit_except);
    ngx_uint_t excepted = methods & location.limit_except;
    ngx_uint_t open = own != 0 && isOpen(cycle, location.loc_conf) ? own : 0;
    return excepted != 0 && isOpen(cycle, location.limit_except_loc_conf) ? open | excepted : open;
}

} // namespace sse
