// A connection that is kept, for one request after the other.
#pragma once

#include <string>
#include <string_view>

#include "http.hpp"
#include "loop.hpp"

namespace bench {

class Exchange : public Pollable {
public:
    Exchange(Loop& loop, uint16_t port) : loop_(loop), port_(port) {}

    bool isIdle() const { return idle_; }
    // Sends a request, on a new connection if there is none.
    void request(std::string text);
    void onEvents(uint32_t events) override;

protected:
    virtual void onResponse(const Head& head, std::string_view body) = 0;
    // More of a body that is sent piece by piece, when the connection can take it; none ends the request.
    virtual std::string_view more() { return {}; }

private:
    void write();
    void waitForRoom(bool wait);
    void read();
    void parse();

    Loop& loop_;
    uint16_t port_;
    bool idle_ = true;
    bool waiting_ = false; // for room to write
    std::string request_;
    std::string_view unsent_;
    std::string response_;
};

} // namespace bench
