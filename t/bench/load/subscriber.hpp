// One subscriber of a crowd, all of whose events are checked.
#pragma once

#include "stream.hpp"

namespace bench {

class Crowd;

// Connects with the id of the last event that it got, if any.
class Subscriber final : public Stream {
public:
    Subscriber(Crowd& crowd, uint32_t number, uint32_t channel);

    uint32_t channel() const { return channel_; }

private:
    std::string request() const override;
    void onHead(const Head& head) override;
    void onEvent(uint32_t number, size_t size) override;
    void onId(std::string_view id) override;
    void onGap() override;

    Crowd& crowd_;
    uint32_t channel_;
    uint32_t position_ = 0; // how many events of its channel it has got
    uint8_t cursorLength_ = 0;
    char cursor_[kKept];
};

} // namespace bench
