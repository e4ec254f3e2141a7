// Reads the address of a Redis server:
//
//   redis[s]://[user[:password]@]host[:port][,host[:port]…][/database]
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sse {

// One of the servers; views of the text that was read.
struct RedisAddress {
    std::string_view text; // as it is written, for messages
    std::string_view host; // a name, or an address; IPv6 without the brackets
    uint16_t port;
    bool isIpv6; // the host is an IPv6 address
};

inline constexpr size_t kMaxRedisAddresses = 16;
inline constexpr uint16_t kRedisPort = 6379;
inline constexpr uint32_t kMaxRedisDatabase = 1'000'000;

struct RedisUrl {
    bool tls;                  // rediss://
    std::string_view user;     // percent-decoded; empty: the default one
    std::string_view password; // percent-decoded; empty: none is given, so a user needs one from elsewhere
    uint32_t database;
    size_t count; // of addresses, at least 1
    RedisAddress list[kMaxRedisAddresses];

    std::span<const RedisAddress> addresses() const noexcept { return {list, count}; }
};

// Reads `text`. The result refers to it and to `room`, which takes what is decoded and must have text.size()
// bytes. Returns NULL, or what is wrong with the text; then `url` means nothing. The message never quotes the
// text, which may contain a password.
const char* parseRedisUrl(std::string_view text, char* room, RedisUrl& url) noexcept;

} // namespace sse
