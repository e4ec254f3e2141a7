#include "lines.hpp"

#include <algorithm>

#include "event.hpp"
#include "exchange.hpp"
#include "patience.hpp"

namespace bench {

namespace {

class Lines final : public Exchange {
public:
    Lines(Loop& loop, uint16_t port, uint64_t count, size_t size)
        : Exchange(loop, port), count_(count), size_(size) {
        for (uint64_t i = 0; i < kBlock; i++) {
            block_ += eventText(0, size) + "\n";
        }
    }

    uint64_t sent() const { return sent_; }

private:
    static constexpr uint64_t kBlock = 1000; // lines of a chunk

    std::string_view more() override {
        if (ended_) {
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

    void onResponse(const Head& head, std::string_view body) override {
        if (head.status != 201 ||
            body.find("\"events\":" + std::to_string(count_)) == std::string_view::npos) {
            die("%llu lines are answered %d %.*s", static_cast<unsigned long long>(count_), head.status,
                static_cast<int>(body.size()), body.data());
        }
    }

    uint64_t count_;
    size_t size_;
    uint64_t sent_ = 0;
    bool ended_ = false;
    std::string block_;
    std::string chunk_;
};

} // namespace

uint64_t publishLines(Loop& loop, uint16_t port, const std::string& path, uint64_t count, size_t size) {
    Lines lines(loop, port, count, size);
    const uint64_t start = now();
    lines.request("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    Patience patience;
    while (!lines.isIdle()) {
        loop.turn(now() + kTurn);
        patience.check(lines.sent(), "the answer to the lines", count - lines.sent());
    }
    return now() - start;
}

} // namespace bench
