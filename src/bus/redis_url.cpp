#include "bus/redis_url.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include <arpa/inet.h>

#include "bus/decimal.hpp"
#include "sse/percent.hpp"

namespace sse {

namespace {

constexpr std::string_view kPlain = "redis://";
constexpr std::string_view kTls = "rediss://";

// Removes the part of `text` before `mark`, together with the mark, and returns it; all of `text` if there is
// no mark.
std::string_view takeUntil(std::string_view& text, char mark) noexcept {
    const size_t end = std::min(text.find(mark), text.size());
    const std::string_view part(text.data(), end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

// A number up to `most` in digits, and nothing else.
std::optional<uint32_t> parseNumber(std::string_view text, uint32_t most) noexcept {
    const std::optional<uint64_t> number = parseDecimal(text);
    return number && *number <= most ? std::optional(static_cast<uint32_t>(*number)) : std::nullopt;
}

bool isAlphanumeric(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Whether the text has only characters of host names and IPv4 addresses. `_` is one, because some resolvers
// have such names.
bool isHost(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [](char c) noexcept { return isAlphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

bool isIpv6(std::string_view text) noexcept {
    char copy[INET6_ADDRSTRLEN] = {};
    in6_addr address;
    if (text.empty() || text.size() >= sizeof(copy) || text.find('\0') != std::string_view::npos) {
        return false;
    }
    text.copy(copy, text.size());
    return inet_pton(AF_INET6, copy, &address) == 1;
}

class UrlReader {
public:
    UrlReader(char* room, RedisUrl& url) noexcept : room_(room), url_(url) {}

    // Like the other functions, returns NULL or what is wrong.
    const char* read(std::string_view text) noexcept {
        url_ = {};
        url_.tls = text.starts_with(kTls);
        if (!url_.tls && !text.starts_with(kPlain)) {
            return "it must begin with redis:// or rediss://";
        }
        text.remove_prefix(url_.tls ? kTls.size() : kPlain.size());
        if (text.find_first_of("?#") != std::string_view::npos) {
            return "there must be no \"?\" or \"#\" in it";
        }
        std::string_view servers = takeUntil(text, '/');
        if (text.find('@') != std::string_view::npos) {
            return "a \"/\" in the user or the password must be written \"%2F\"";
        }
        const char* fault = readUser(servers);
        if (fault == nullptr) {
            fault = readAddresses(servers);
        }
        return fault == nullptr ? readDatabase(text) : fault;
    }

private:
    // "user@", ":password@" or "user:password@", which is removed.
    const char* readUser(std::string_view& servers) noexcept {
        const size_t end = servers.rfind('@');
        if (end == std::string_view::npos) {
            return nullptr;
        }
        std::string_view credentials(servers.data(), end);
        servers.remove_prefix(end + 1);
        if (credentials.empty()) {
            return "there is nothing before the \"@\"";
        }
        if (credentials.find('@') != std::string_view::npos) {
            return "an \"@\" in the user or the password must be written \"%40\"";
        }
        const bool hasPassword = credentials.find(':') != std::string_view::npos;
        const std::string_view user = takeUntil(credentials, ':');
        if (hasPassword && credentials.empty()) {
            return "the password is empty";
        }
        return decode(user, url_.user) && decode(credentials, url_.password)
                   ? nullptr
                   : "a \"%\" in the user or the password must be written \"%25\"";
    }

    // False: a `%` is not followed by two hex digits.
    bool decode(std::string_view text, std::string_view& decoded) noexcept {
        for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
            if (text.size() - at < 3 || hexValue(text[at + 1]) < 0 || hexValue(text[at + 2]) < 0) {
                return false;
            }
        }
        decoded = {room_, percentDecode(text, room_)};
        room_ += decoded.size();
        return true;
    }

    const char* readAddresses(std::string_view servers) noexcept {
        const size_t commas = static_cast<size_t>(std::count(servers.begin(), servers.end(), ','));
        if (commas >= kMaxRedisAddresses) {
            return "there are more than 16 addresses";
        }
        for (; url_.count <= commas; ++url_.count) {
            const char* fault = readAddress(takeUntil(servers, ','), url_.list[url_.count]);
            if (fault != nullptr) {
                return fault;
            }
        }
        return nullptr;
    }

    static const char* readAddress(std::string_view text, RedisAddress& address) noexcept {
        address = {.text = text, .host = {}, .port = kRedisPort, .isIpv6 = text.starts_with('[')};
        if (address.isIpv6) {
            text.remove_prefix(1);
            const bool isClosed = text.find(']') != std::string_view::npos;
            address.host = takeUntil(text, ']');
            if (!isClosed || !isIpv6(address.host)) {
                return "between \"[\" and \"]\" there must be an IPv6 address";
            }
            if (!text.empty() && text.front() != ':') {
                return "after the \"]\" of an address only a port can follow";
            }
            return text.empty() ? nullptr : readPort({text.data() + 1, text.size() - 1}, address.port);
        }
        if (std::count(text.begin(), text.end(), ':') > 1) {
            return "an IPv6 address must be in brackets";
        }
        const bool hasPort = text.find(':') != std::string_view::npos;
        address.host = takeUntil(text, ':');
        if (address.host.empty()) {
            return "an address has no host";
        }
        if (!isHost(address.host)) {
            return "the name of a host has a character that names cannot have";
        }
        return hasPort ? readPort(text, address.port) : nullptr;
    }

    static const char* readPort(std::string_view text, uint16_t& port) noexcept {
        const uint32_t number = parseNumber(text, UINT16_MAX).value_or(0);
        port = static_cast<uint16_t>(number);
        return number != 0 ? nullptr : "a port must be a number from 1 to 65535";
    }

    const char* readDatabase(std::string_view text) noexcept {
        const std::optional<uint32_t> number = text.empty() ? 0 : parseNumber(text, kMaxRedisDatabase);
        url_.database = number.value_or(0);
        return number ? nullptr : "the database, after the \"/\", must be a number";
    }

    char* room_;
    RedisUrl& url_;
};

static_assert(kMaxRedisAddresses == 16); // as the message says

} // namespace

const char* parseRedisUrl(std::string_view text, char* room, RedisUrl& url) noexcept {
    return UrlReader(room, url).read(text);
}

} // namespace sse
