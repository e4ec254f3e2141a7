// The version of the module: the newest in CHANGES (t/docs/version.t).
#pragma once

#include <string_view>

namespace sse {

inline constexpr std::string_view kVersion = "0.2.0";

} // namespace sse
