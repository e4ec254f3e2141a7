// A connection that is kept, for one request after the other, or for several at once.
#pragma once

#include <string>
#include <string_view>

#include "http.hpp"
#include "loop.hpp"

namespace bench {

class Exchange : public Pollable {
public:
    Exchange(Loop& loop, uint16_t port) : loop_(loop), port_(port) {}

    bool isIdle() const { return unanswered_ == 0; }
    // Sends a request, on a new connection if there is none.
    void request(std::string_view text) {
        add(text);
        flush();
    }
    // The same in two steps, so that several requests leave in one write.
    void add(std::string_view text);
    void flush();
    bool isSent() const { return unsent_.empty(); }
    void onEvents(uint32_t events) override;

protected:
    virtual void onResponse(const Head& head, std::string_view body) = 0;
    // More of a body that is sent piece by piece, when the connection can take it; none ends the request.
    virtual std::string_view more() { return {}; }
    // The server has closed the connection.
    virtual void onClosed();
    // Sends the request again that was sent last, on a new connection.
    void repeat() {
        unsent_ = request_;
        flush();
    }

private:
    void onLost();
    void write();
    void waitForRoom(bool wait);
    void read();
    // What the first response in these bytes takes of them; 0 if it has not come whole.
    size_t parse(std::string_view bytes);

    Loop& loop_;
    uint16_t port_;
    uint32_t unanswered_ = 0; // requests
    bool waiting_ = false;    // for room to write
    std::string request_;
    std::string_view unsent_;
    std::string response_;
};

} // namespace bench
