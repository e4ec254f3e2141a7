// What a subscribing request asks for: its channels, and where to begin.
#pragma once

#include "http/respond.hpp"
#include "sse/publisher_id.hpp"
#include "subscribe/reader.hpp"

namespace sse {

class SubscribeRequest {
public:
    // Reads all of it; false if the request must be refused.
    bool read(ngx_http_request_t* r) noexcept;

    // Lives as long as this object.
    const Subscription& subscription() const noexcept { return subscription_; }
    // The names, joined by commas, in the request's pool; data is NULL without memory.
    ngx_str_t joinedNames(ngx_pool_t* pool) const noexcept;

    // After read() has returned false: sends the refusal and notes its reason for the log; returns what the
    // content handler returns.
    ngx_int_t sendRefusal(ngx_http_request_t* r, RequestContext& context) const noexcept;

private:
    bool readChannels(ngx_http_request_t* r) noexcept;
    bool addChannels(std::string_view list, u_char separator) noexcept;
    bool addChannel(std::string_view name) noexcept;
    bool readCursor(ngx_http_request_t* r) noexcept;
    bool readExpiry(ngx_http_request_t* r) noexcept;
    bool readKey(ngx_http_request_t* r) noexcept;
    bool readStart(ngx_http_request_t* r) noexcept;
    bool readForm(ngx_http_request_t* r) noexcept;
    bool setStart(std::string_view text) noexcept;
    bool setCursor(std::string_view text) noexcept;
    bool refuseWith(Refusal refusal) noexcept;
    bool fail() noexcept;

    std::string_view names_[kMostChannels];
    size_t maxChannels_ = 0;
    size_t count_ = 0;
    Subscription subscription_;
    Refusal refusal_ = Refusal::None;
};

} // namespace sse
