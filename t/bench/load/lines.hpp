// A body without end: one event a line, as many as the server takes.
#pragma once

#include <cstdint>
#include <string>

#include "exchange.hpp"

namespace bench {

class Lines final : public Exchange {
public:
    Lines(Loop& loop, uint16_t port, uint64_t count, size_t size);

    // Sends all lines in one request to that path, but not its end.
    void send(const std::string& path);
    // Ends it, and waits for the answer, which has to count the lines.
    void finish();

private:
    std::string_view more() override;
    void onResponse(const Head& head, std::string_view body) override;

    Loop& loop_;
    uint64_t count_;
    size_t size_;
    uint64_t sent_ = 0;
    bool open_ = true; // more may follow the lines
    bool ended_ = false;
    std::string block_;
    std::string chunk_;
};

} // namespace bench
