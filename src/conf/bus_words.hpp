// The directive sse_bus.
#pragma once

#include "conf/config.hpp"

namespace sse {

// How the names of the shared memory of buses begin; the name of the zone follows.
inline constexpr std::string_view kBusMemory = "sse_bus:";

// Its setter (ngx_command_t::set).
char* setBus(ngx_conf_t* cf, ngx_command_t* command, void* conf) noexcept;

// When the http block has been read: resolves the names of servers if there is no resolver that does so
// later, and asks nginx for the memory. false after an error, which is logged.
bool finishBuses(ngx_conf_t* cf, const MainConfig& config) noexcept;

} // namespace sse
