// The handlers of those directives that nginx's own setters cannot read; see config.hpp for what they set.
#pragma once

#include "ngx.hpp"

namespace sse {

char* setZone(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setChannel(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setPublish(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setStatus(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setStart(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setCursor(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setHistory(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setRetry(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setHeartbeat(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setPrime(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setAllowTypes(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setCors(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setCorsHeaders(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

// For ngx_conf_post_t: a time that must not be 0.
char* checkPositive(ngx_conf_t* cf, void* post, void* value) noexcept;

} // namespace sse
