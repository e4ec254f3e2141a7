#include "http/header_filter.hpp"

#include "conf/config.hpp"
#include "http/body.hpp"
#include "http/cors.hpp"
#include "http/header_list.hpp"
#include "http/respond.hpp"

namespace sse {

namespace {

ngx_http_output_header_filter_pt nextFilter;
AnswerHook answerHook;

// Without a Cache-Control header a cache may store answers like 200, 204, 404 and 410 for as long as it likes
// (RFC 9110, section 15.1). A header of the configuration or of an application stays.
bool forbidStoring(ngx_http_request_t* r) noexcept {
    return hasHeader(r, "Cache-Control") || addHeader(r, "Cache-Control", "no-store");
}

// nginx-internal: http/ngx_http_special_response.c (1.22.1, 1.26.3, 1.30.4, 1.31.4):
// ngx_http_filter_finalize_request() calls this again if a later filter replaces the answer or fails, so
// nothing may be added twice.
ngx_int_t filterHeader(ngx_http_request_t* r) noexcept {
    const LocationConfig& config = *locationConfig(r);
    if (!isEndpoint(config) || r != r->main) {
        return nextFilter(r);
    }
    closeIfUnread(r);
    answerHook(r);
    return forbidStoring(r) && addCorsHeaders(r, config) ? nextFilter(r) : NGX_ERROR;
}

} // namespace

// Installed even if the configuration has no endpoint.
//
// nginx-internal: http/ngx_http.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): the chains are global, not part of a
// cycle: after a reload that has failed, new workers of the old configuration run with the chain of the new
// one.
void addHeaderFilter(AnswerHook onAnswer) noexcept {
    answerHook = onAnswer;
    nextFilter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = filterHeader;
}

} // namespace sse
