#include "status/handler.hpp"

#include "conf/config.hpp"
#include "http/respond.hpp"
#include "status/figures.hpp"
#include "status/json.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// The status as a text in the request's pool; empty without memory.
std::string_view render(ngx_http_request_t* r) noexcept {
    const std::optional<Figures> figures =
        collectFigures(*mainConfig(r), *locationConfig(r), Worker::self().registry(), r->pool);
    Buffer text;
    if (!figures || !writeStatus(*figures, text)) {
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
    if (mainConfig(r)->zones.nelts == 0) { // then no worker has joined a roster
        return respond(r, NGX_HTTP_OK, "{\"zones\":{},\"workers\":[]}\n");
    }
    std::string_view json = render(r);
    return json.empty() ? NGX_HTTP_INTERNAL_SERVER_ERROR : respond(r, NGX_HTTP_OK, json);
}

} // namespace sse
