#include "status/prometheus.hpp"

#include "ngx.hpp"
#include "version.hpp"

namespace sse {

bool writeMetrics(const Figures&, Buffer& out) noexcept {
    return out.append("# HELP sse_build_info Versions of the module and of nginx.\n"
                      "# TYPE sse_build_info gauge\n"
                      "sse_build_info{version=\"") &&
           out.append(kVersion) && out.append("\",nginx=\"" NGINX_VERSION "\"} 1\n");
}

} // namespace sse
