// The servers of sse_bus: their addresses, and the credentials for them.
#pragma once

#include "conf/bus_config.hpp"
#include "conf/bus_parameters.hpp"

namespace sse {

// Reads the text of the URL, and the parameters for passwords and TLS. false after an error, which is logged.
bool readServer(ngx_conf_t* cf, const ngx_str_t& text, const BusParameters& parameters,
                BusConfig& bus) noexcept;

} // namespace sse
