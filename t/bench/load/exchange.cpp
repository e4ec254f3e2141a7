#include "exchange.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "say.hpp"

namespace bench {

void Exchange::request(std::string text) {
    request_ = std::move(text);
    unsent_ = request_;
    idle_ = false;
    if (isOpen()) {
        write();
    } else {
        fd_ = connectTo(port_, 0);
        waiting_ = true;
        loop_.add(*this, EPOLLIN | EPOLLOUT);
    }
}

void Exchange::onEvents(uint32_t events) {
    if (events & EPOLLOUT) {
        write();
    }
    if (events & ~static_cast<uint32_t>(EPOLLOUT)) {
        read();
    }
}

void Exchange::write() {
    while (!unsent_.empty() || !(unsent_ = more()).empty()) {
        const ssize_t count = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN) {
            die("a request cannot be sent: %m");
        }
        if (count < 0) {
            waitForRoom(true);
            return;
        }
        unsent_.remove_prefix(static_cast<size_t>(count));
    }
    waitForRoom(false);
}

void Exchange::waitForRoom(bool wait) {
    if (waiting_ != wait) {
        waiting_ = wait;
        loop_.change(*this, wait ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

void Exchange::read() {
    char buffer[16 * 1024];
    const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count <= 0) {
        die("a request was not answered");
    }
    response_.append(buffer, static_cast<size_t>(count));
    parse();
}

void Exchange::parse() {
    const size_t end = response_.find("\r\n\r\n");
    if (end == std::string::npos) {
        return;
    }
    const Head head = Head::parse(std::string_view(response_).substr(0, end + 2));
    const std::string_view rest = std::string_view(response_).substr(end + 4);
    std::string body;
    if (head.chunked) {
        Dechunker dechunker;
        if (!dechunker.feed(rest, [&](std::string_view piece) { body += piece; })) {
            die("an answer has broken chunks");
        }
        if (!dechunker.ended()) {
            return;
        }
    } else if (rest.size() < head.length) {
        return;
    } else {
        body = rest;
    }
    response_.clear();
    idle_ = true;
    onResponse(head, body);
}

} // namespace bench
