#include "lines.hpp"

#include <algorithm>

#include "event.hpp"
#include "patience.hpp"

namespace bench {

namespace {

constexpr uint64_t kBlock = 1000; // lines of a chunk

} // namespace

Lines::Lines(Loop& loop, uint16_t port, uint64_t count, size_t size)
    : Exchange(loop, port), loop_(loop), count_(count), size_(size) {
    for (uint64_t i = 0; i < kBlock; i++) {
        block_ += eventText(0, size) + "\n";
    }
}

void Lines::send(const std::string& path) {
    request("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    Patience patience;
    while (sent_ < count_ || !isSent()) {
        loop_.turn(now() + kTurn);
        patience.check(sent_, "room for lines", count_ - sent_);
    }
}

void Lines::finish() {
    open_ = false;
    flush();
    Patience patience;
    while (!isIdle()) {
        loop_.turn(now() + kTurn);
        patience.check(0, "the answer to the lines", 1);
    }
}

std::string_view Lines::more() {
    if (ended_ || (open_ && sent_ == count_)) {
        return {};
    }
    const uint64_t lines = std::min(kBlock, count_ - sent_);
    const size_t bytes = lines * (size_ + 1);
    char head[32];
    const int length = std::snprintf(head, sizeof head, "%zx\r\n", bytes);
    for (uint64_t i = 0; i < lines; i++) {
        writeNumber(block_.data() + i * (size_ + 1), static_cast<uint32_t>(sent_++));
    }
    chunk_.assign(head, static_cast<size_t>(length)).append(block_, 0, bytes).append("\r\n");
    ended_ = lines == 0;
    return chunk_;
}

void Lines::onResponse(const Head& head, std::string_view body) {
    if (head.status != 201 || body.find("\"events\":" + std::to_string(count_)) == std::string_view::npos) {
        die("%llu lines are answered %d %.*s", static_cast<unsigned long long>(count_), head.status,
            static_cast<int>(body.size()), body.data());
    }
}

} // namespace bench
