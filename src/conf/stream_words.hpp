// The setters of the directives for subscribers.
#pragma once

#include "ngx.hpp"

namespace sse {

// Where a stream begins.
char* setStart(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setCursor(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setHistory(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

// Who may listen, and how many.
char* setMaxSubscribers(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setReject(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

// What a stream contains.
char* setRetry(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setHeartbeat(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setPrime(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setGap(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setCaughtUp(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setEndEvent(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

// How long it lasts.
char* setLifetime(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;
char* setExpires(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

} // namespace sse
