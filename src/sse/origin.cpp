#include "sse/origin.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdint>
#include <cstring>

#include "sse/bytes.hpp"

namespace sse {

namespace {

constexpr std::string_view kStrangeByte = "it has a character that no origin has";

struct HostPort {
    std::string_view host;
    std::string_view port; // with its colon; empty if there is none
};

bool isUpper(char c) noexcept {
    return c >= 'A' && c <= 'Z';
}

bool isLetter(char c) noexcept {
    return c >= 'a' && c <= 'z';
}

bool isSchemeByte(char c) noexcept {
    return isLetter(c) || isDigit(c) || c == '+' || c == '-' || c == '.';
}

bool isHostByte(char c) noexcept {
    return isLetter(c) || isDigit(c) || c == '.' || c == '-' || c == '_';
}

bool isScheme(std::string_view text) noexcept {
    return !text.empty() && isLetter(text.front()) && std::all_of(text.begin(), text.end(), isSchemeByte);
}

bool isAddressByte(char c) noexcept {
    return isDigit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
}

// An IPv6 address in its brackets.
bool isLiteral(std::string_view host) noexcept {
    char text[INET6_ADDRSTRLEN] = {};
    in6_addr address;
    if (host.size() < 2 || host.back() != ']') {
        return false;
    }
    host.remove_prefix(1);
    host.remove_suffix(1);
    if (host.size() >= sizeof(text) || !std::all_of(host.begin(), host.end(), isAddressByte)) {
        return false;
    }
    std::memcpy(text, host.data(), host.size());
    return inet_pton(AF_INET6, text, &address) == 1;
}

// 1 to 65535, without leading zeros.
bool isPort(std::string_view digits) noexcept {
    if (digits.empty() || digits.size() > 5 || digits.front() == '0' ||
        !std::all_of(digits.begin(), digits.end(), isDigit)) {
        return false;
    }
    uint32_t port = 0;
    for (char digit : digits) {
        port = port * 10 + static_cast<uint32_t>(digit - '0');
    }
    return port <= UINT16_MAX;
}

// What a URL has beyond its origin, or instead of one.
std::string_view excess(std::string_view afterScheme) noexcept {
    size_t at = afterScheme.find_first_of("/?#@,");
    if (at == std::string_view::npos) {
        return {};
    }
    switch (afterScheme[at]) {
    case '/':
        return at + 1 == afterScheme.size() ? "it ends with a slash" : "it has a path";
    case '?':
        return "it has a query";
    case '#':
        return "it has a fragment";
    case '@':
        return "it has user information";
    default:
        return "origins are separated by spaces, not by commas";
    }
}

// The colons of an address in brackets do not begin a port.
HostPort split(std::string_view text) noexcept {
    size_t bracket = text.rfind(']');
    size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon == std::string_view::npos) {
        return {text, {}};
    }
    HostPort parts{text, text};
    parts.host.remove_suffix(text.size() - colon);
    parts.port.remove_prefix(colon);
    return parts;
}

std::string_view hostFault(std::string_view host) noexcept {
    if (host.empty()) {
        return "it has no host";
    }
    if (host.front() == '[') {
        return isLiteral(host) ? std::string_view() : "what is in brackets is no address of IPv6";
    }
    return std::all_of(host.begin(), host.end(), isHostByte) ? std::string_view() : kStrangeByte;
}

std::string_view portFault(std::string_view scheme, std::string_view port) noexcept {
    if (port.empty()) {
        return {};
    }
    port.remove_prefix(1);
    if (!isPort(port)) {
        return "its port is no number from 1 to 65535";
    }
    bool isDefault = (scheme == "https" && port == "443") || (scheme == "http" && port == "80");
    return isDefault ? "browsers leave out the default port" : std::string_view();
}

} // namespace

std::string_view originFault(std::string_view text) noexcept {
    constexpr std::string_view kSeparator = "://";
    size_t at = text.find(kSeparator);
    if (at == std::string_view::npos || at == 0) {
        return "it has no scheme";
    }
    std::string_view scheme = text.substr(0, at);
    text.remove_prefix(at + kSeparator.size());
    std::string_view more = excess(text);
    if (!more.empty()) {
        return more;
    }
    if (std::any_of(scheme.begin(), scheme.end(), isUpper) ||
        std::any_of(text.begin(), text.end(), isUpper)) {
        return "browsers send it in lower case";
    }
    if (!isScheme(scheme)) {
        return kStrangeByte;
    }
    HostPort rest = split(text);
    std::string_view fault = hostFault(rest.host);
    return !fault.empty() ? fault : portFault(scheme, rest.port);
}

} // namespace sse
