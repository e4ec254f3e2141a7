#include "status/handler.hpp"

#include "conf/config.hpp"
#include "http/respond.hpp"
#include "status/figures.hpp"
#include "status/json.hpp"
#include "status/prometheus.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// How figures become a text. A writer appends all of it; false without memory.
struct Format {
    std::string_view type;
    bool (*write)(const Figures& figures, Buffer& out) noexcept;
};

Format formatOf(StatusFormat format) noexcept {
    switch (format) {
    case StatusFormat::Json:
        break;
    case StatusFormat::Prometheus:
        return {kMetricsType, writeMetrics};
    }
    return {"application/json", writeStatus};
}

// Without a zone no worker has joined a roster, and there is nothing to count.
std::optional<Figures> figuresFor(ngx_http_request_t* r) noexcept {
    const MainConfig& main = *mainConfig(r);
    return main.zones.nelts == 0
               ? Figures{}
               : collectFigures(main, *locationConfig(r), Worker::self().registry(), r->pool);
}

// The status as a text in the request's pool; empty without memory.
std::string_view render(ngx_http_request_t* r, const Format& format) noexcept {
    const std::optional<Figures> figures = figuresFor(r);
    Buffer text;
    if (!figures || !format.write(*figures, text)) {
        ngx_log_error(NGX_LOG_EMERG, r->connection->log, 0, "sse: out of memory for the status");
        return {};
    }
    return toView(poolString(r->pool, text.view()));
}

} // namespace

ngx_int_t handleStatus(ngx_http_request_t* r) noexcept {
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return refuseMethod(r, "GET, HEAD, OPTIONS");
    }
    const Format format = formatOf(locationConfig(r)->statusFormat);
    const std::string_view text = render(r, format);
    return text.empty() ? NGX_HTTP_INTERNAL_SERVER_ERROR : respond(r, NGX_HTTP_OK, format.type, text);
}

} // namespace sse
