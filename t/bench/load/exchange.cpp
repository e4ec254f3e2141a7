#include "exchange.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "say.hpp"

namespace bench {

void Exchange::add(std::string_view text) {
    request_.erase(0, request_.size() - unsent_.size());
    request_ += text;
    unsent_ = request_;
    unanswered_++;
}

void Exchange::flush() {
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
    if (isOpen() && (events & ~static_cast<uint32_t>(EPOLLOUT))) {
        read();
    }
}

void Exchange::write() {
    while (!unsent_.empty() || !(unsent_ = more()).empty()) {
        const ssize_t count = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN) {
            onLost();
            return;
        }
        if (count < 0) {
            waitForRoom(true);
            return;
        }
        unsent_.remove_prefix(static_cast<size_t>(count));
    }
    waitForRoom(false);
}

void Exchange::onLost() {
    close();
    unsent_ = {};
    response_.clear();
    onClosed();
}

void Exchange::onClosed() {
    if (!isIdle()) {
        die("a connection was closed, and %u requests on it are not answered", unanswered_);
    }
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
        onLost();
        return;
    }
    response_.append(buffer, static_cast<size_t>(count));
    size_t taken = 0;
    for (size_t size; (size = parse(std::string_view(response_).substr(taken))) > 0;) {
        taken += size;
    }
    response_.erase(0, taken);
}

size_t Exchange::parse(std::string_view bytes) {
    const size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        return 0;
    }
    const Head head = Head::parse(bytes.substr(0, end + 2));
    std::string_view rest = bytes.substr(end + 4);
    std::string body;
    if (head.chunked) {
        Dechunker dechunker;
        if (!dechunker.feed(rest, [&](std::string_view piece) { body += piece; })) {
            die("an answer has broken chunks");
        }
        if (!dechunker.ended()) {
            return 0;
        }
    } else if (rest.size() < head.length) {
        return 0;
    } else {
        body = rest.substr(0, head.length);
        rest.remove_prefix(head.length);
    }
    unanswered_--;
    onResponse(head, body);
    return bytes.size() - rest.size();
}

} // namespace bench
