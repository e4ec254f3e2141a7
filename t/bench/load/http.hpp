// As much of HTTP/1.1 as a client of these servers needs.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace bench {

// Begins a connection to that port of this machine and returns its descriptor, nonblocking; dies if it
// cannot. As one address has only 28,000 ports for clients, consecutive numbers connect from different
// addresses.
int connectTo(uint16_t port, uint32_t number);

// The head of a response.
struct Head {
    int status = 0;
    bool chunked = false;
    uint64_t length = 0;
    std::string worker; // the header X-Worker

    static Head parse(std::string_view text);
};

// Takes the chunk framing off a body that comes in pieces.
class Dechunker {
public:
    bool ended() const { return state_ == State::Ended; }

    // Calls take(std::string_view) for what the chunks hold. What follows the body stays in the piece. False
    // if this is no chunk framing.
    template <typename Take>
    bool feed(std::string_view& piece, Take&& take) {
        while (!piece.empty() && state_ != State::Ended) {
            if (state_ == State::Data) {
                const size_t part = piece.size() < left_ ? piece.size() : left_;
                take(piece.substr(0, part));
                piece.remove_prefix(part);
                left_ -= part;
                if (left_ == 0) {
                    state_ = State::DataEnd;
                }
            } else if (!step(piece.front())) {
                return false;
            } else {
                piece.remove_prefix(1);
            }
        }
        return true;
    }

private:
    enum class State : uint8_t { Size, SizeEnd, Data, DataEnd, LastEnd, Ended };

    // One byte of the framing.
    bool step(char byte) {
        switch (state_) {
        case State::Size:
            return size(byte);
        case State::SizeEnd:
            state_ = left_ ? State::Data : State::LastEnd;
            return byte == '\n';
        case State::LastEnd:
            state_ = byte == '\n' ? State::Ended : State::LastEnd;
            return byte == '\n' || byte == '\r';
        default: // DataEnd
            state_ = byte == '\n' ? State::Size : State::DataEnd;
            return byte == '\n' || byte == '\r';
        }
    }

    bool size(char byte) {
        if (byte == '\r') {
            state_ = State::SizeEnd;
            return true;
        }
        const char lower = static_cast<char>(byte | 0x20);
        const int digit = lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : byte - '0';
        left_ = left_ * 16 + static_cast<size_t>(digit);
        return digit >= 0 && digit < 16;
    }

    size_t left_ = 0;
    State state_ = State::Size;
};

} // namespace bench
