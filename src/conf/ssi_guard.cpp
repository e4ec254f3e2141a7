#include "conf/ssi_guard.hpp"

#include "conf/neighbours.hpp"

namespace sse {

namespace {

// nginx-internal: http/modules/ngx_http_ssi_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): what its
// configuration begins with.
struct SsiConfig {
    ngx_flag_t enable;
    ngx_flag_t silentErrors;
    ngx_flag_t ignoreRecycledBuffers;
    ngx_flag_t lastModified;
    ngx_hash_t types;
};

} // namespace

bool isSsiOn(const ngx_cycle_t& cycle, const ngx_http_core_loc_conf_t& location,
             std::string_view type) noexcept {
    auto* ssi =
        static_cast<SsiConfig*>(neighbourConfig(cycle, location.loc_conf, "ngx_http_ssi_filter_module"));
    if (ssi == nullptr || ssi->enable != 1) {
        return false;
    }
    // nginx-internal: http/ngx_http_core_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4):
    // ngx_http_test_content_type() takes "ssi_types *" for all types.
    if (ssi->types.size == 0) {
        return true;
    }
    ngx_str_t name = ngxString(type);
    return ngx_hash_find(&ssi->types, ngx_hash_key(name.data, name.len), name.data, name.len) != nullptr;
}

} // namespace sse
