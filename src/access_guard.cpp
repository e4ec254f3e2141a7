#include "access_guard.hpp"

#include <algorithm>

namespace sse {

namespace {

// The configuration of each of these modules begins with what its main directive sets (a list of rules, an
// expression, a length), in every nginx since 1.22; without the directive it is zero. There is no other way
// to ask them.
struct Guard {
    std::string_view module;
    size_t words;
    bool isRealm = false; // the word is an expression, which may be "off"
};

#if (NGX_HAVE_INET6)
constexpr size_t kIpv6 = 1;
#else
constexpr size_t kIpv6 = 0;
#endif
#if (NGX_HAVE_UNIX_DOMAIN)
constexpr size_t kUnix = 1;
#else
constexpr size_t kUnix = 0;
#endif

constexpr Guard kGuards[] = {
    {"ngx_http_access_module", 1 + kIpv6 + kUnix}, // rules for each family of addresses
    {"ngx_http_auth_basic_module", 1, true},       // the realm
    {"ngx_http_auth_request_module", 1},           // the length of the URI
    {"ngx_http_auth_jwt_module", 1, true},         // the realm
};

bool isSet(ngx_conf_t* cf, const ngx_module_t& module, const Guard& guard) noexcept {
    auto* context = static_cast<ngx_http_conf_ctx_t*>(cf->ctx);
    auto* conf = static_cast<uintptr_t*>(context->loc_conf[module.ctx_index]);
    if (conf == nullptr) {
        return false;
    }
    bool set = std::any_of(conf, conf + guard.words, [](uintptr_t word) {
        return word != 0 && word != static_cast<uintptr_t>(NGX_CONF_UNSET);
    });
    return set &&
           !(guard.isRealm && view(reinterpret_cast<ngx_http_complex_value_t*>(*conf)->value) == "off");
}

} // namespace

bool isGuarded(ngx_conf_t* cf) noexcept {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (core->internal == 1) {
        return true;
    }
    for (ngx_uint_t i = 0; cf->cycle->modules[i] != nullptr; ++i) {
        const ngx_module_t& module = *cf->cycle->modules[i];
        for (const Guard& guard : kGuards) {
            if (module.type == NGX_HTTP_MODULE && guard.module == module.name && isSet(cf, module, guard)) {
                return true;
            }
        }
    }
    return false;
}

} // namespace sse
