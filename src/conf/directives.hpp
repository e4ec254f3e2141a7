// The directives of the module.
#pragma once

#include "ngx.hpp"

namespace sse {

// For nginx (ngx_module_t); ends with an empty one.
extern ngx_command_t directives[];

} // namespace sse
