// What a subscribing request asks for: its channels, and where to begin.
#pragma once

#include "http/respond.hpp"
#include "worker/subscriber.hpp"

namespace sse {

// Reads it all. NGX_OK, or what the content handler returns (the refusal has been sent then).
class ArrivalReader {
public:
    ngx_int_t read(ngx_http_request_t* r) noexcept;

    const Arrival& arrival() const noexcept { return arrival_; }
    // The names, joined by commas, in the request's pool; data is NULL without memory.
    ngx_str_t joinedNames(ngx_pool_t* pool) const noexcept;

private:
    ngx_int_t readChannels(ngx_http_request_t* r) noexcept;
    ngx_int_t addChannels(ngx_http_request_t* r, std::string_view list, u_char separator) noexcept;
    ngx_int_t addChannel(ngx_http_request_t* r, std::string_view name) noexcept;
    ngx_int_t readCursor(ngx_http_request_t* r) noexcept;
    ngx_int_t readStart(ngx_http_request_t* r) noexcept;
    bool setCursor(std::string_view text) noexcept;

    std::string_view names_[Subscriber::kMaxChannels];
    size_t count_ = 0;
    Arrival arrival_;
};

} // namespace sse
