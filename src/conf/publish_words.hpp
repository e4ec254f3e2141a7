// The setters of the directives for publishers.
#pragma once

#include "ngx.hpp"

namespace sse {

// Values that are percent-decoded when they are used; those without variables are checked.
char* setEventType(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setEventId(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setEventRetry(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setEventEncoding(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

char* setAllowTypes(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setBodyChannels(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

} // namespace sse
