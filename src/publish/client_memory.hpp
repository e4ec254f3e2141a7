// Memory that the open bodies of one client take, however many connections and HTTP/2 streams it has: all
// that stands between two readings counts, that is incomplete events.
//
// Clients are told apart by address (an IPv6 client by its network of 64 bits), in each worker for itself.
#pragma once

#include "ngx.hpp"

namespace sse {

class ClientMemory {
public:
    ClientMemory() = default;
    ~ClientMemory() { give(); }
    ClientMemory(const ClientMemory&) = delete;
    ClientMemory& operator=(const ClientMemory&) = delete;

    // From now on this body holds so many bytes. false if its client then holds more than `limit` (0: it may
    // hold any amount), or without memory.
    bool hold(const ngx_connection_t& connection, size_t bytes, size_t limit) noexcept;

    struct Account;

private:
    void give() noexcept;

    Account* account_ = nullptr; // while it holds anything
    size_t held_ = 0;
};

} // namespace sse
