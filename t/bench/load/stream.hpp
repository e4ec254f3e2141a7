// A stream of events as it comes on a connection: reads it as cheaply as it can while looking at every event.
#pragma once

#include <string>
#include <string_view>

#include "http.hpp"
#include "loop.hpp"

namespace bench {

class Stream : public Pollable {
public:
    Stream(Loop& loop, uint16_t port, uint32_t number) : loop_(loop), port_(port), number_(number) {}

    void connect();
    void onEvents(uint32_t events) final;

    uint32_t number() const { return number_; }

protected:
    virtual std::string request() const = 0;
    virtual void onHead(const Head&) {}
    // An event of a publisher: its number, and how long its text is.
    virtual void onEvent(uint32_t number, size_t size) = 0;
    virtual void onId(std::string_view) {}
    virtual void onGap() = 0;

private:
    void sendRequest();
    void read();
    std::string_view takeHead(std::string_view bytes);
    void takeBody(std::string_view bytes);
    void takeLines(std::string_view bytes);
    void takeLine(std::string_view start, size_t length);
    void keep(std::string_view piece);
    void takeData(std::string_view start, size_t length);

protected:
    static constexpr size_t kKept = 48; // of a line: enough for an id and for the number of an event

private:
    Loop& loop_;
    uint16_t port_;
    uint32_t number_;
    uint32_t lineLength_ = 0; // of the line that has begun and not ended
    Dechunker dechunker_;
    enum class State : uint8_t { Connecting, Head, Chunked, Plain } state_ = State::Connecting;
    char line_[kKept];
    std::string head_;
};

} // namespace bench
