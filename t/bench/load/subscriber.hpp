// One subscriber: reads its stream as cheaply as it can while looking at every event.
#pragma once

#include <string>
#include <string_view>

#include "http.hpp"
#include "loop.hpp"

namespace bench {

class Crowd;

class Subscriber final : public Pollable {
public:
    Subscriber(Crowd& crowd, uint32_t number, uint32_t channel)
        : crowd_(crowd), number_(number), channel_(channel) {}

    // Connects, with the id of the last event that it got, if any.
    void connect();
    void onEvents(uint32_t events) override;

    uint32_t channel() const { return channel_; }
    uint32_t position() const { return position_; }

private:
    void sendRequest();
    void read();
    std::string_view takeHead(std::string_view bytes);
    void takeBody(std::string_view bytes);
    void takeLines(std::string_view bytes);
    void takeLine(std::string_view start, size_t length);
    void keep(std::string_view piece);
    void takeData(std::string_view start, size_t length);

    static constexpr size_t kKept = 48; // of a line: enough for an id and for the number of an event

    Crowd& crowd_;
    uint32_t number_;
    uint32_t channel_;
    uint32_t position_ = 0;   // how many events of its channel it has got
    uint32_t lineLength_ = 0; // of the line that has begun and not ended
    Dechunker dechunker_;
    enum class State : uint8_t { Connecting, Head, Chunked, Plain } state_ = State::Connecting;
    uint8_t cursorLength_ = 0;
    char line_[kKept];
    char cursor_[kKept];
    std::string head_;
};

} // namespace bench
