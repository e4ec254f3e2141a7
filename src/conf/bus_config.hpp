// The settings of sse_bus: the Redis Stream that is the log of a zone, and how to reach it. Plain data in the
// configuration pool.
#pragma once

#include <span>
#include <string_view>

#include "ngx.hpp"

namespace sse {

// Approximately how many entries the control stream keeps at most: probes and kicks, the latter for as long
// as events. A machine that was away for a while must find the kicks among the probes of the others.
inline constexpr std::string_view kControlLength = "100000";

struct Zone;
struct BusState;

// One of the addresses in the URL.
struct BusAddress {
    ngx_str_t text; // "host:port", as it stands there
    ngx_str_t host; // without the port, and without the brackets of an IPv6 address
    in_port_t port;
    bool isName;                     // of a host, which is resolved anew for every connection
    std::span<ngx_addr_t> addresses; // known when the configuration was read: of a name, if there was no
                                     // resolver; else of what is no name
};

struct BusConfig {
    Zone* zone;
    ngx_str_t file; // where the directive stands
    ngx_uint_t line;

    std::span<const BusAddress> addresses;
    ngx_str_t user;     // empty: the default user
    ngx_str_t password; // empty: no AUTH
    ngx_uint_t database;
    ngx_ssl_t* ssl;           // NULL: without TLS
    bool verifies;            // the chain and the name of the server's certificate
    ngx_str_t serverName;     // of the certificate and SNI; empty: the host of each address
    ngx_resolver_t* resolver; // of the http block; NULL: names have been resolved when it was read
    ngx_msec_t resolverTimeout;

    ngx_str_t stream; // the keys in Redis
    ngx_str_t controlKey;
    ngx_str_t lineageKey;

    ngx_msec_t keep;    // how old entries become
    ngx_uint_t max;     // about how many there may be; 0: any number
    ngx_uint_t acks;    // replicas that have a published event before it is acknowledged
    ngx_msec_t timeout; // until then, or the publisher is told that the outcome is unknown

    BusState* state; // in shared memory, once nginx has initialised it
};

} // namespace sse
