#include "stream.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "event.hpp"
#include "say.hpp"

namespace bench {

namespace {

char buffer[256 * 1024]; // one for all: whatever is read is looked at at once

} // namespace

void Stream::connect() {
    fd_ = connectTo(port_, number_);
    state_ = State::Connecting;
    dechunker_ = {};
    lineLength_ = 0;
    head_ = {};
    loop_.add(*this, EPOLLOUT);
}

void Stream::onEvents(uint32_t) {
    if (state_ == State::Connecting) {
        sendRequest();
    } else {
        read();
    }
}

void Stream::sendRequest() {
    const std::string request = this->request();
    if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
        die("subscriber %u cannot send its request: %m", number_);
    }
    state_ = State::Head;
    loop_.change(*this, EPOLLIN);
}

void Stream::read() {
    const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count <= 0) {
        die("subscriber %u was disconnected", number_);
    }
    std::string_view bytes(buffer, static_cast<size_t>(count));
    if (state_ == State::Head) {
        bytes = takeHead(bytes);
    }
    takeBody(bytes);
}

// Returns what follows the head.
std::string_view Stream::takeHead(std::string_view bytes) {
    const size_t before = head_.size();
    head_ += bytes;
    const size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) {
        return {};
    }
    const Head head = Head::parse(std::string_view(head_).substr(0, end + 2));
    if (head.status != 200) {
        die("subscriber %u is answered %d", number_, head.status);
    }
    head_ = {};
    state_ = head.chunked ? State::Chunked : State::Plain;
    onHead(head);
    return bytes.substr(end + 4 - before);
}

void Stream::takeBody(std::string_view bytes) {
    if (state_ == State::Plain) {
        takeLines(bytes);
    } else if (!dechunker_.feed(bytes, [this](std::string_view piece) { takeLines(piece); })) {
        die("subscriber %u gets broken chunks", number_);
    }
}

void Stream::takeLines(std::string_view bytes) {
    while (!bytes.empty()) {
        const size_t end = bytes.find('\n');
        if (end == std::string_view::npos) {
            keep(bytes);
            return;
        }
        const std::string_view line = bytes.substr(0, end);
        if (lineLength_ == 0) {
            takeLine(line, line.size());
        } else {
            keep(line);
            takeLine({line_, std::min<size_t>(lineLength_, kKept)}, lineLength_);
            lineLength_ = 0;
        }
        bytes.remove_prefix(end + 1);
    }
}

// Keeps the start of a line whose end has not come yet.
void Stream::keep(std::string_view piece) {
    if (lineLength_ < kKept) {
        std::memcpy(line_ + lineLength_, piece.data(), std::min(piece.size(), kKept - lineLength_));
    }
    lineLength_ += static_cast<uint32_t>(piece.size());
}

void Stream::takeLine(std::string_view start, size_t length) {
    if (start.starts_with("data:")) {
        takeData(start, length);
    } else if (start.starts_with("id: ")) {
        onId(start.substr(4));
    } else if (start.starts_with("event: gap")) {
        onGap();
    }
}

void Stream::takeData(std::string_view start, size_t length) {
    const size_t prefix = start.size() > 5 && start[5] == ' ' ? 6 : 5;
    const uint32_t number = numberOf(start.substr(prefix));
    if (number != kNoNumber) { // else of the server itself: where the stream begins
        onEvent(number, length - prefix);
    }
}

} // namespace bench
