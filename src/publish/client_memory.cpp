#include "publish/client_memory.hpp"

#include <algorithm>

namespace sse {

// What the open bodies of one client hold together. It exists as long as there is such a body.
struct ClientMemory::Account {
    ngx_queue_t link;
    ngx_uint_t bodies;
    size_t bytes;
    std::string_view client; // the bytes after this struct
};

namespace {

// Few clients have an account: an event is rarely incomplete for longer than a turn.
constexpr size_t kBuckets = 256;

ngx_queue_t buckets[kBuckets];

std::string_view bytes(const void* start, size_t length) noexcept {
    return {static_cast<const char*>(start), length};
}

// Empty for clients without an address of their own (UNIX-domain sockets): they count as one client. A
// listener with ipv6only=off has IPv4 clients whose first 64 bits are all the same.
std::string_view addressOf(const ngx_connection_t& connection) noexcept {
    switch (connection.sockaddr->sa_family) {
    case AF_INET:
        return bytes(&reinterpret_cast<sockaddr_in*>(connection.sockaddr)->sin_addr, 4);
#if (NGX_HAVE_INET6)
    case AF_INET6: {
        const in6_addr* address = &reinterpret_cast<sockaddr_in6*>(connection.sockaddr)->sin6_addr;
        return IN6_IS_ADDR_V4MAPPED(address) ? bytes(&address->s6_addr[12], 4) : bytes(address, 8);
    }
#endif
    default:
        return {};
    }
}

ngx_queue_t* bucketOf(std::string_view client) noexcept {
    ngx_str_t key = ngxString(client);
    ngx_queue_t* bucket = &buckets[ngx_murmur_hash2(key.data, key.len) % kBuckets];
    if (bucket->next == nullptr) {
        ngx_queue_init(bucket);
    }
    return bucket;
}

using Account = ClientMemory::Account;

Account* find(ngx_queue_t* bucket, std::string_view client) noexcept {
    for (ngx_queue_t* link = bucket->next; link != bucket; link = link->next) {
        auto* account = queueItem<Account>(link, offsetof(Account, link));
        if (account->client == client) {
            return account;
        }
    }
    return nullptr;
}

// The account of a client, made if there is none; NULL without memory.
Account* open(std::string_view client) noexcept {
    ngx_queue_t* bucket = bucketOf(client);
    Account* account = find(bucket, client);
    if (account != nullptr) {
        return account;
    }
    account = static_cast<Account*>(ngx_alloc(sizeof(Account) + client.size(), ngx_cycle->log));
    if (account != nullptr) {
        auto* copy = reinterpret_cast<char*>(account + 1);
        std::copy(client.begin(), client.end(), copy);
        *account = {{}, 0, 0, {copy, client.size()}};
        ngx_queue_insert_tail(bucket, &account->link);
    }
    return account;
}

} // namespace

bool ClientMemory::hold(const ngx_connection_t& connection, Intake& intake, size_t limit) noexcept {
    intake.release();
    const size_t bytes = intake.held();
    if (bytes == 0) {
        release();
        return true;
    }
    if (account_ == nullptr) {
        account_ = open(addressOf(connection));
        if (account_ == nullptr) {
            return false;
        }
        ++account_->bodies;
    }
    account_->bytes += bytes - held_;
    held_ = bytes;
    return limit == 0 || account_->bytes <= limit;
}

void ClientMemory::release() noexcept {
    if (account_ == nullptr) {
        return;
    }
    account_->bytes -= held_;
    held_ = 0;
    if (--account_->bodies == 0) {
        ngx_queue_remove(&account_->link);
        ngx_free(account_);
    }
    account_ = nullptr;
}

} // namespace sse
