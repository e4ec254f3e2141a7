// The setters of the directives that say what a location is, and of sse_list.
#pragma once

#include "ngx.hpp"

namespace sse {

char* setChannel(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setPublish(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setStatus(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setHealth(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setKick(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setLater(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setList(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

} // namespace sse
