// Notices on their way into a batch.
#pragma once

#include "ngx.hpp"
#include "output/batch.hpp"
#include "sse/buffer.hpp"

namespace sse {

// Appends to the batch what write(buffer) renders with one of the functions of sse/notices.hpp. false without
// memory; that is logged, and the batch is unchanged.
template <typename Write>
bool appendNotice(BatchRef& out, Write&& write) noexcept {
    Buffer text;
    if (!write(text)) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0, "sse: out of memory for a notice");
        return false;
    }
    return out.append(text.view());
}

} // namespace sse
