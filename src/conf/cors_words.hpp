// The setters of the directives for pages of other origins.
#pragma once

#include "ngx.hpp"

namespace sse {

char* setCors(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setCorsHeaders(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

} // namespace sse
