// Which channels a location names to its clients: sse_list.
#pragma once

#include <string_view>

#include "conf/config.hpp"

namespace sse {

class ListPermit {
public:
    // What the location permits this request. false without memory.
    static bool of(ngx_http_request_t* r, ListPermit& permit) noexcept;

    // Whether it permits anything at all.
    bool isEmpty() const noexcept { return !all_ && prefixes_.empty(); }
    // Whether it permits all channels, also those whose names are not known.
    bool coversAll() const noexcept { return all_; }
    bool covers(std::string_view channel) const noexcept;

private:
    bool all_ = false;
    std::span<const ngx_str_t> prefixes_; // in the request's pool; none is empty
};

} // namespace sse
