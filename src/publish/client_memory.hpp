// Memory that the open bodies of one client take, however many connections and HTTP/2 streams it has. What
// remains between two reads is counted, that is, incomplete events.
//
// Clients are told apart by address (an IPv6 client by its network of 64 bits), separately in each worker.
#pragma once

#include "ngx.hpp"
#include "publish/intake.hpp"

namespace sse {

class ClientMemory {
public:
    ClientMemory() = default;
    ~ClientMemory() { release(); }
    ClientMemory(const ClientMemory&) = delete;
    ClientMemory& operator=(const ClientMemory&) = delete;

    // Frees what the intake of this body does not need, and counts the rest against the client at the other
    // end of the connection. false if the client then holds more than `limit` bytes (0: no limit), or without
    // memory.
    bool hold(const ngx_connection_t& connection, Intake& intake, size_t limit) noexcept;

    // The body no longer holds anything.
    void release() noexcept;

    struct Account;

private:
    Account* account_ = nullptr; // while it holds any memory
    size_t held_ = 0;
};

} // namespace sse
