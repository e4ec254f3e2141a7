// What other modules of nginx have set in a location. They may be missing, and their layouts are private.
#pragma once

#include "ngx.hpp"

namespace sse {

// What the module of that name has in `locationConfigs`, NULL if this nginx has no such module. Its symbol
// cannot be used instead: an nginx that is built without the module would not load us.
//
// nginx-internal: core/ngx_module.c, core/nginx.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): every module has a name,
// and the list ends with NULL.
inline void* neighbourConfig(const ngx_cycle_t& cycle, void* const* locationConfigs,
                             std::string_view name) noexcept {
    for (ngx_module_t* const* module = cycle.modules; *module != nullptr; ++module) {
        if ((*module)->type == NGX_HTTP_MODULE && name == (*module)->name) {
            return locationConfigs[(*module)->ctx_index];
        }
    }
    return nullptr;
}

} // namespace sse
