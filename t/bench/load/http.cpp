#include "http.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>

#include "say.hpp"

namespace bench {

namespace {

constexpr uint32_t kPortsOfAnAddress = 10'000;

sockaddr_in address(uint32_t host, uint16_t port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port);
    return address;
}

bool isHeader(std::string_view line, std::string_view name) {
    return line.size() > name.size() && line[name.size()] == ':' &&
           strncasecmp(line.data(), name.data(), name.size()) == 0;
}

std::string_view valueOf(std::string_view line) {
    line.remove_prefix(line.find(':') + 1);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return line;
}

} // namespace

int connectTo(uint16_t port, uint32_t number) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        die("socket: %m");
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const sockaddr_in from = address(INADDR_LOOPBACK + 1 + number / kPortsOfAnAddress, 0);
    const sockaddr_in to = address(INADDR_LOOPBACK, port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
        (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)) {
        die("connect: %m");
    }
    return fd;
}

Head Head::parse(std::string_view text) {
    Head head;
    if (text.starts_with("HTTP/1.") && text.size() > 12) {
        std::from_chars(text.data() + 9, text.data() + 12, head.status);
    }
    for (size_t end; (end = text.find("\r\n")) != std::string_view::npos; text.remove_prefix(end + 2)) {
        const std::string_view line = text.substr(0, end);
        if (isHeader(line, "Transfer-Encoding")) {
            head.chunked = valueOf(line) == "chunked";
        } else if (isHeader(line, "Content-Length")) {
            const std::string_view value = valueOf(line);
            std::from_chars(value.data(), value.data() + value.size(), head.length);
        } else if (isHeader(line, "X-Worker")) {
            head.worker = valueOf(line);
        }
    }
    return head;
}

} // namespace bench
