// The setters of the directives at http level: zones, the memory of keys, and the drain.
#pragma once

#include "ngx.hpp"

namespace sse {

char* setZone(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setKeys(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setDrain(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

} // namespace sse
