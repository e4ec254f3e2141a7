#include "http/respond.hpp"

#include <algorithm>
#include <span>

#include "http/body.hpp"
#include "http/request_context.hpp"
#include "sse/log_text.hpp"

namespace sse {

namespace {

// nginx-internal: http/ngx_http_special_response.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): as
// ngx_http_special_response_handler() decides. It is not called for a request that has timed out:
// http/ngx_http_request.c closes the connection.
bool hasErrorPage(ngx_http_request_t* r, ngx_uint_t status) noexcept {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    if (r->error_page || core->error_pages == nullptr || r->uri_changes == 0 ||
        status == NGX_HTTP_REQUEST_TIME_OUT) {
        return false;
    }
    std::span<ngx_http_err_page_t> pages(static_cast<ngx_http_err_page_t*>(core->error_pages->elts),
                                         core->error_pages->nelts);
    bool isFound = std::any_of(pages.begin(), pages.end(), [status](const ngx_http_err_page_t& page) {
        return page.status == static_cast<ngx_int_t>(status);
    });
    if (isFound) {
        forgetUsedBody(r);
    }
    return isFound;
}

void addPlace(JsonWriter& json, const RefusalPlace& place) noexcept {
    if (place.field) {
        json.member("field", *place.field);
    }
    if (place.envelope) {
        json.member("envelope", *place.envelope);
    }
    json.member("at", place.at);
}

void addFacts(JsonWriter& json, const RefusalFacts& facts) noexcept {
    if (facts.place) {
        addPlace(json, *facts.place);
    }
    if (facts.kickedFor) {
        json.member("for", *facts.kickedFor);
    }
    if (facts.events) {
        json.member("events", *facts.events);
    }
    if (facts.isUnknown) {
        json.member("published", std::string_view("unknown"));
    }
    if (facts.epoch) {
        json.member("epoch", *facts.epoch);
    }
    if (facts.expected) {
        json.member("expected", *facts.expected);
    }
    if (facts.lastId && *facts.lastId == EventId{}) {
        json.key("last_id").null();
    } else if (facts.lastId) {
        char id[kMaxEventIdText];
        json.member("last_id", std::string_view(id, formatEventId(*facts.lastId, id)));
    }
}

} // namespace

// The conditions of the request concern a channel, not this answer: nginx would compare them with the tag of
// the answer, which has none, and turn a 200 for something that has been done into a 412.
//
// nginx-internal: http/modules/ngx_http_not_modified_filter_module.c (1.22.1, 1.26.3, 1.30.4, 1.31.4).
//
// The body is thrown away here, and not in a handler before: an error page that goes to an upstream must find
// a body that is still to come, because nginx does not survive the end of a client whose body it throws away
// for an upstream. If its chunks are malformed, that does not matter: nothing has wanted them, and the client
// is told what has been done all the same.
//
// nginx-internal: http/ngx_http_core_module.c, http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4):
// ngx_http_send_response() throws the body away, too, and answers with 400 where that fails; the second time
// there is nothing to do. The connection ends (closeIfUnread).
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view type,
                  std::string_view body) noexcept {
    r->disable_not_modified = 1;
    (void)ngx_http_discard_request_body(r);
    ngx_str_t contentType = ngxString(type);
    ngx_http_complex_value_t content{};
    content.value = ngxString(body);
    return ngx_http_send_response(r, status, &contentType, &content);
}

ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view json) noexcept {
    return respond(r, status, "application/json", json);
}

ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, const JsonWriter& json, Buffer& text) noexcept {
    if (!json.isComplete() || !text.append("\n")) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_str_t copy = poolString(r->pool, text.view());
    return copy.data == nullptr ? NGX_HTTP_INTERNAL_SERVER_ERROR : respond(r, status, toView(copy));
}

// nginx adds the client and its request to the line.
void logRefusal(ngx_http_request_t* r, Refusal refusal) noexcept {
    static time_t second = 0;
    static ngx_uint_t unlogged = 0;
    if (!isFirstOfSecond(second)) {
        ++unlogged;
        return;
    }
    const RefusalAnswer answer = answerTo(refusal);
    const ngx_str_t text = ngxString(answer.reason);
    const RequestContext* context = contextOf(r);
    const LogText channel(context == nullptr ? std::string_view() : toView(context->channel));
    const ngx_str_t name = ngxString(channel.view());
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "sse: channel \"%V\": refused with %ui: %V (%ui more since the last)", &name,
                  ngx_uint_t{answer.status}, &text, unlogged);
    unlogged = 0;
}

ngx_int_t refuse(ngx_http_request_t* r, Refusal refusal, const RefusalFacts& facts) noexcept {
    const RefusalAnswer answer = answerTo(refusal);
    logRefusal(r, refusal);
    if (facts.events.value_or(0) == 0 && !facts.isUnknown && hasErrorPage(r, answer.status)) {
        return answer.status;
    }
    if (!answer.retryAfter.empty() && !addHeader(r, "Retry-After", answer.retryAfter)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    Buffer text;
    JsonWriter json(text);
    json.beginObject().member("error", answer.reason);
    addFacts(json, facts);
    json.endObject();
    return respond(r, answer.status, json, text);
}

ngx_int_t refuseMethod(ngx_http_request_t* r, std::string_view allowed) noexcept {
    if (!addHeader(r, "Allow", allowed)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r->method != NGX_HTTP_OPTIONS) {
        return refuse(r, Refusal::MethodNotAllowed);
    }
    return NGX_HTTP_NO_CONTENT;
}

bool addHeader(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept {
    auto* header = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (header == nullptr) {
        return false;
    }
    *header = {};
    header->hash = 1;
    header->key = ngxString(name);
    header->value = ngxString(value);
    return true;
}

} // namespace sse
